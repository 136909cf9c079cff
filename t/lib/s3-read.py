#!/usr/bin/python3

# Copyright (C) the ngx_live_record authors

# s3-read.py PORT BUCKET ID SECRET: what the objects of a bucket of the fake
# S3 are like, as awscli's own library reads it: prints a JSON array of
# { key, type, set }.

import json
import sys

import awscli.botocore.session

port, bucket, key_id, secret = sys.argv[1:5]

client = awscli.botocore.session.Session().create_client(
    's3', endpoint_url='http://127.0.0.1:' + port, region_name='us-east-1',
    aws_access_key_id=key_id, aws_secret_access_key=secret)

found = []

for o in client.list_objects_v2(Bucket=bucket).get('Contents', []):
    name = {'Bucket': bucket, 'Key': o['Key']}
    head = client.head_object(**name)
    tags = client.get_object_tagging(**name)['TagSet']
    grants = client.get_object_acl(**name)['Grants']

    found.append({'key': o['Key'], 'type': head['ContentType'], 'set': {
        'class': head.get('StorageClass'),
        'encryption': head.get('ServerSideEncryption'),
        'cache': head.get('CacheControl'),
        'meta': head['Metadata'],
        'tags': {t['Key']: t['Value'] for t in tags},
        'acl': 'public-read' if grants else 'private',
    }})

print(json.dumps(found))
