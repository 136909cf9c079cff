
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <openssl/evp.h>
#include "lr_nonce.h"


#define LR_NONCE_SHA256  32


static int lr_nonce_hash(const char *id, const char *nonce, u_char *hash);


lr_nonce_t *
lr_nonce_init(void *p, size_t size)
{
    size_t       set;
    lr_nonce_t  *t;

    set = LR_NONCE_WAYS * sizeof(lr_nonce_slot_t);

    if (size < sizeof(lr_nonce_t) + set) {
        return NULL;
    }

    memset(p, 0, size);

    t = p;
    t->sets = (size - sizeof(lr_nonce_t)) / set;

    return t;
}


int
lr_nonce_take(lr_nonce_t *t, const char *id, const char *nonce, time_t now,
    time_t until)
{
    int               rc;
    size_t            i;
    u_char            hash[LR_NONCE_SHA256];
    lr_nonce_slot_t  *slot, *oldest;

    if (lr_nonce_hash(id, nonce, hash) != LR_OK) {
        return LR_ERROR;
    }

    slot = t->slots
           + lr_get_be64(hash + sizeof(slot->hash)) % t->sets * LR_NONCE_WAYS;

    oldest = slot;

    for (i = 0; i < LR_NONCE_WAYS; i++) {

        if ((time_t) slot[i].until >= now
            && memcmp(slot[i].hash, hash, sizeof(slot->hash)) == 0)
        {
            return LR_DECLINED;
        }

        if (slot[i].until < oldest->until) {
            oldest = &slot[i];
        }
    }

    rc = (time_t) oldest->until >= now ? LR_AGAIN : LR_OK;

    memcpy(oldest->hash, hash, sizeof(oldest->hash));
    oldest->until = (uint32_t) until;

    return rc;
}


static int
lr_nonce_hash(const char *id, const char *nonce, u_char *hash)
{
    int          rc;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    /* an id has no zero byte, so the two texts cannot run together */

    rc = ctx != NULL
         && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)
         && EVP_DigestUpdate(ctx, id, strlen(id) + 1)
         && EVP_DigestUpdate(ctx, nonce, strlen(nonce))
         && EVP_DigestFinal_ex(ctx, hash, NULL)
         ? LR_OK : LR_ERROR;

    EVP_MD_CTX_free(ctx);

    return rc;
}
