"""Sessions of somebody else that hold locks or snapshots. Row locks concern the desks `hot` and `beside` alone."""

import contextlib
import time

from desks import CONCERNED
from faults import fault


@contextlib.contextmanager
def open_transaction(world, statements, begin="BEGIN"):
    """Somebody has run these statements and left the transaction open."""
    with world.cluster.primary.session(name="somebody") as session:
        session.run(begin)
        yield session.run(statements)


def row_lock(world, statements, then=lambda: None):
    """Locks rows for some time. Answers their ids."""
    world.begin(desks=CONCERNED, instances=[], locks=True)
    with open_transaction(world, statements) as rows:
        if not rows:
            raise RuntimeError("nothing was locked")
        then()
        world.last(world.length(5, 15))
    return rows


def some(rows, number, rng):
    """The ids of some of these rows, for SQL."""
    return ", ".join(row[0] for row in rng.sample(rows, min(number, len(rows))))


@fault("lock-operator", short=True)
def lock_operator(world, rng):
    """SELECT … FOR UPDATE of an operator left open; concerns the desks that share operators with theirs."""
    row_lock(world, f"SELECT id FROM operators WHERE id = {rng.choice(world.desk('hot').operators)} FOR UPDATE")


@fault("lock-source")
def lock_source(world, rng):
    """SELECT … FOR UPDATE of a source left open; concerns the desks that share operators with its own."""
    row_lock(world, f"SELECT id FROM sources WHERE id = {world.desk('hot').source} FOR UPDATE")


@fault("lock-lead")
def lock_lead(world, rng):
    """SELECT … FOR UPDATE of leads who come back to a desk left open; concerns this desk."""
    leads = world.cluster.rows(f"SELECT id FROM leads WHERE external_id LIKE '{world.desk('hot').leads}-%' ORDER BY id")
    row_lock(world, f"SELECT id FROM leads WHERE id IN ({some(leads, 5, rng)}) FOR UPDATE")


@fault("lock-contact")
def lock_contact(world, rng):
    """SELECT … FOR UPDATE of the contacts that wait longest and of some that do not, left open; concerns their desk."""
    active = f"SELECT id FROM contacts WHERE source_id = {world.desk('hot').source} AND status = 'active'"
    held = world.cluster.rows(f"{active} AND operator_id IS NOT NULL ORDER BY id")
    locked = row_lock(world, f"""
        SELECT id FROM contacts
        WHERE id IN ({some(held, 5, rng)}) OR id IN ({active} AND operator_id IS NULL ORDER BY id LIMIT 3) FOR UPDATE""")
    world.locked.update(map(int, locked))


@fault("open-update")
def open_update(world, rng):
    """A hand-written change of contacts left open and then rolled back; concerns the desks that share operators."""
    row_lock(world, f"""
        UPDATE contacts SET status = 'closed' WHERE id IN (
            SELECT id FROM contacts WHERE source_id = {world.desk('hot').source} AND status = 'active'
                AND operator_id IS NOT NULL ORDER BY id LIMIT 5)
        RETURNING id""")


@fault("open-insert")
def open_insert(world, rng):
    """A hand-written contact left open and then rolled back; concerns the desks that share operators."""
    row_lock(world, f"""
        WITH l AS (INSERT INTO leads (name) VALUES ('By hand') RETURNING id)
        INSERT INTO contacts (lead_id, source_id, message) SELECT id, {world.desk('hot').source}, 'by hand' FROM l
        RETURNING id""")


@fault("open-lead")
def open_lead(world, rng):
    """Leads inserted by hand and left open, with identifiers that are registered meanwhile; concerns their desk."""
    # Not yet registered; who comes back now comes by these.
    desk, leads = world.desk("hot"), f"open-{rng.random()}-{time.monotonic()}"
    statements = f"INSERT INTO leads (external_id) SELECT '{leads}-' || n FROM generate_series(1, 5) AS n RETURNING id"
    row_lock(world, statements, lambda: setattr(desk, "leads", leads))


@fault("exclusive-tables")
def exclusive_tables(world, rng):
    """ACCESS EXCLUSIVE on operators and contacts for some seconds; concerns all."""
    world.begin()
    with open_transaction(world, "LOCK TABLE operators, contacts IN ACCESS EXCLUSIVE MODE"):
        world.last(world.length(2, rng.uniform(2, 8)))


@fault("idle-transactions")
def idle_transactions(world, rng):
    """Open transactions with a snapshot in each isolation level, SERIALIZABLE too; concerns nobody."""
    world.begin([])
    world.set_pace(0.3)  # so that predicate locks pile up
    with contextlib.ExitStack() as stack:
        for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
            stack.enter_context(open_transaction(
                world, "SELECT count(*) FROM contacts; SELECT txid_current()", f"BEGIN ISOLATION LEVEL {level}"))
        world.last(world.length(5, 20))


@fault("gate-by-hand")
def gate_by_hand(world, rng):
    """The gate taken by hand for some seconds; concerns all."""
    world.begin()
    with open_transaction(world, "LOCK TABLE assignment_gate IN EXCLUSIVE MODE"):
        world.last(rng.uniform(1, 3))
