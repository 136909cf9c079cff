
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What a publisher hands to callbacks: the parameters of the publish URL's
 * query whose names begin with "callback_".
 */


#ifndef _LR_PUSH_ARGS_H_INCLUDED_
#define _LR_PUSH_ARGS_H_INCLUDED_


#include <jansson.h>
#include "lr_core.h"


/* of all names and values, decoded; what goes beyond is left out */
#define LR_PUSH_ARGS_MAX  2048


/*
 * An object of strings with those of the n bytes of a query, in their
 * order.  Names and values are percent-decoded, "+" is a space; of a name
 * that comes more than once the first value counts.  What cannot be decoded,
 * is no UTF-8 or has control characters is left out.  NULL: there are none,
 * or no memory.
 */
json_t *lr_push_args(const char *p, size_t n);


#endif /* _LR_PUSH_ARGS_H_INCLUDED_ */
