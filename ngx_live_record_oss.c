#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_live_record_bucket.h"
ngx_int_t ngx_live_record_oss_init(ngx_cycle_t *cycle){return NGX_OK;}
void ngx_live_record_oss_exit(ngx_cycle_t *cycle){}
void ngx_live_record_oss_start(ngx_live_record_request_t *req){}
int ngx_live_record_oss_cancel(ngx_live_record_request_t *req){return LR_AGAIN;}
