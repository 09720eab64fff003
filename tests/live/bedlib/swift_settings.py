# SPDX-License-Identifier: Apache-2.0
"""The settings of Swift's servers. Where they are not the defaults: one node of each kind, on a machine that may be slow."""

import os
import pwd

# Never one that holds data of worth: where objects lie is derived from the two.
SWIFT = """\
[swift-hash]
swift_hash_path_prefix = headwater
swift_hash_path_suffix = headwater

[storage-policy:0]
name = Policy-0
default = yes
"""

COMMON = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {etc}
devices = {data}
mount_check = false
recon_cache_path = {data}/recon
log_name = {kind}
log_address = {data}/no-syslog
"""

STORAGE = """
[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""

# A PUT waits for the listing to have it: 10 s, by default 1. What did not come in time the updater brings: after 30 s, by
# default 300. And a disk that is 99 % full still takes objects.
OBJECT = """\
fallocate_reserve = 0
container_update_timeout = 10
node_timeout = 10
"""
UPDATER = """
[object-updater]
interval = 30
"""

# s3api stands before the authentication that it asks, and before slo, without which it has no multipart uploads.
PIPELINE = (
    "catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl s3api tempauth copy slo dlo "
    "versioned_writes symlink proxy-logging proxy-server"
)

# A node that failed ten times is by default not asked for a minute. There is no other to ask.
PROXY = """
[pipeline:main]
pipeline = {pipeline}

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
error_suppression_interval = 0
error_suppression_limit = 1000000

[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
error_suppression_interval = 0

[filter:s3api]
use = egg:swift#s3api
location = {region}

[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true

[filter:tempauth]
use = egg:swift#tempauth
{users}
"""


def files(ports, etc, data, users, region):
    """The name and text of every file. `users`: user_ACCOUNT_USER = key and groups; .admin owns the account."""
    memcached, account, container, object_, proxy = ports

    def common(kind, port):
        user = pwd.getpwuid(os.getuid()).pw_name
        return COMMON.format(port=port, user=user, etc=etc, data=data, kind=kind)

    def storage(kind, port):
        return common(kind, port) + STORAGE.format(kind=kind)

    yield "swift.conf", SWIFT
    yield "account-server.conf", storage("account", account)
    yield "container-server.conf", storage("container", container)
    settings = common("object", object_) + OBJECT + STORAGE.format(kind="object") + UPDATER
    yield "object-server.conf", settings

    lines = "\n".join(f"{name} = {value}" for name, value in users.items())
    own = PROXY.format(pipeline=PIPELINE, memcached=memcached, region=region, users=lines)
    plain = [name for name in dict.fromkeys(PIPELINE.split()) if f":{name}]" not in own]
    filters = "".join(f"\n[filter:{name}]\nuse = egg:swift#{name.replace('-', '_')}\n" for name in plain)
    yield "proxy-server.conf", common("proxy", proxy) + own + filters
