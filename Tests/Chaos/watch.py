"""Watches the counters all along: from a session of its own, and in each commit."""

import threading

# Recounts at each commit, whoever commits. It records a violation instead of raising it: raised, it would keep from the
# database what it is there to find, and the service would hide it behind a refusal or another try; recorded in the same
# transaction, it is there if and only if the violation was committed.
AUDIT = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.violations (at timestamptz NOT NULL DEFAULT clock_timestamp(), what text NOT NULL);
CREATE FUNCTION chaos.audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
    one bigint;
    audited text := COALESCE(current_setting('chaos.audited', true), '');
BEGIN
    IF TG_TABLE_NAME = 'operators' THEN
        ids := ARRAY[NEW.id];
    ELSIF TG_OP = 'DELETE' THEN
        ids := ARRAY[OLD.operator_id];
    ELSIF TG_OP = 'INSERT' THEN
        ids := ARRAY[NEW.operator_id];
    ELSE
        ids := ARRAY[OLD.operator_id, NEW.operator_id];
    END IF;
    FOREACH one IN ARRAY ids LOOP
        -- Once for each operator: when deferred triggers run, all of the transaction's changes are made.
        CONTINUE WHEN one IS NULL OR strpos(audited, ',' || one || ',') > 0;
        audited := audited || ',' || one || ',';
        INSERT INTO chaos.violations (what)
        SELECT format('a commit left operator %s with current_load %s, %s active contacts, max_load %s',
            o.id, o.current_load, n.active, o.max_load)
        FROM public.operators AS o CROSS JOIN LATERAL (
            SELECT count(*) AS active FROM public.contacts AS c WHERE c.operator_id = o.id AND c.status = 'active') AS n
        WHERE o.id = one AND (o.current_load <> n.active OR n.active > o.max_load);
    END LOOP;
    PERFORM set_config('chaos.audited', audited, true);
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON public.contacts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chaos.audit();
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE ON public.operators
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chaos.audit();
-- Also where somebody has switched triggers off.
ALTER TABLE public.contacts ENABLE ALWAYS TRIGGER audit;
ALTER TABLE public.operators ENABLE ALWAYS TRIGGER audit;
"""

LOADS = """
SELECT format('operator %s has current_load %s, %s active contacts, max_load %s', o.id, o.current_load, n.active, o.max_load)
FROM operators AS o CROSS JOIN LATERAL (
    SELECT count(*) AS active FROM contacts AS c WHERE c.operator_id = o.id AND c.status = 'active') AS n
WHERE o.current_load <> n.active OR n.active > o.max_load
"""

# Whoever waits beside room.
PLACES = """
SELECT format('%s contacts wait at source %s beside room', count(*), c.source_id) FROM contacts AS c
WHERE c.status = 'active' AND c.operator_id IS NULL AND EXISTS (
    SELECT FROM operator_source_weights AS w JOIN operators AS o ON o.id = w.operator_id
    WHERE w.source_id = c.source_id AND o.is_active AND o.current_load < o.max_load)
GROUP BY c.source_id
"""


class Poller(threading.Thread):
    """Recounts on the primary, some times a second; a limit is never lowered below a load here."""

    def __init__(self, cluster):
        super().__init__(name="poller", daemon=True)
        self.cluster = cluster
        self.found = set()
        self.polls = 0
        self.ended = threading.Event()

    def run(self):
        session = node = None
        while not self.ended.wait(0.15):
            try:
                if session is None or node is not self.cluster.primary:
                    if session:
                        session.close()
                    node = self.cluster.primary
                    session = node.session(name="poller")
                self.found.update(session.run(LOADS))
                self.polls += 1
            except (ConnectionError, TimeoutError):
                session.close()
                session = None  # the server is away; the next turn connects again
        if session:
            session.close()

    def close(self):
        self.ended.set()
        self.join()
