"""PgBouncer in transaction mode, before whichever server is the primary.

It is one address that moves, not one for each server: PgBouncer tells its clients what the server of its first connection
told it, so that libpq would take a server that was promoted for a standby, and the old primary for one that can be written.
"""

import shutil
import signal
import subprocess

from postgres import DATABASE, SERVICE
from processes import free_port, spawn

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


class Pooler:
    def __init__(self, home, target):
        self.port, self.file = free_port(), home / "pgbouncer.ini"
        self.write(target)
        with open(home / "pgbouncer.log", "w") as log:
            self.process = spawn(
                [PGBOUNCER, self.file], as_postgres=True, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")

    def write(self, target):
        self.file.write_text(f"""\
[databases]
{DATABASE} = host=127.0.0.1 port={target} dbname={DATABASE} user={SERVICE}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 15
max_client_conn = 200
server_login_retry = 1
server_connect_timeout = 3
query_wait_timeout = 5
""")
        self.file.chmod(0o644)

    def point_at(self, target):
        self.write(target)
        self.process.send_signal(signal.SIGHUP)

    def close(self):
        self.process.kill()
        self.process.wait()
