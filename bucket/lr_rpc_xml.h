
/*
 * Copyright (C) the ngx_live_record authors
 *
 * An answer of the API as XML: the same members as in JSON.
 */


#ifndef _LR_RPC_XML_H_INCLUDED_
#define _LR_RPC_XML_H_INCLUDED_


#include <jansson.h>
#include "lr_core.h"


/*
 * Appends a document whose root is called "root".  A member becomes an
 * element of its name, and an array one element of that name for each item:
 * {"L":{"X":[1,2]}} is <L><X>1</X><X>2</X></L>.  Null is an empty element.
 * Names have to be ones that XML knows too.  What XML cannot say in a text,
 * such as a byte of 1, becomes "?".  LR_ERROR without memory.
 */
int lr_rpc_xml(lr_buf_t *b, const char *root, const json_t *o);


#endif /* _LR_RPC_XML_H_INCLUDED_ */
