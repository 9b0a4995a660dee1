/*
 * The core of Leads CRM: two instances, each with one lane, register contacts through one gate at one PostgreSQL with a
 * synchronous standby, while connections, backends, servers and instances fail. README.md says what is left out, and
 * how to run this. The properties, by number:
 *   1  who was answered "committed" has its contact once, as the plan says that was answered, for ever
 *   2  who was told "nothing changed" has none, for ever; who was told "unknown" has one at most
 *   3  of the attempts of one batch one at most is ever durable
 *   4  the operator's load never passes MAX_LOAD
 *   5  one transaction at most holds the gate
 *   6  who waits at the gate gets through (with -DLIVENESS=1)
 *   7  each command is answered, once
 */

/* What may happen, and how often (up to three times): -DFAULTS=2*CUT+FAILOVER */
#define CUT      1      /* a connection is lost; whether the server notices, and when, is open */
#define KILL     4      /* a backend is terminated by hand */
#define CANCEL   16     /* a wait for the standby is cancelled by hand */
#define CRASH    64     /* the primary restarts */
#define FAILOVER 256    /* the primary is lost, the standby promoted */
#define STOP     1024   /* an instance stands still; it may go on */
#define REFUSE   4096   /* the database refuses a batch */
#define PSQL     16384  /* a place is taken in psql, without the gate */
#ifndef FAULTS
#define FAULTS 0
#endif
#ifndef DEADLINES
#define DEADLINES 0     /* the commands, by bit, whose deadline may pass */
#endif
#ifndef GATE
#define GATE 1          /* 0: every instance runs with the gate off */
#endif
#ifndef LIVENESS
#define LIVENESS 0      /* 1: who stops stops for good, and the server never notices that a client is gone */
#endif
#ifndef PER_LANE
#define PER_LANE 4      /* transactions of a lane that the server may know of at once */
#endif
#ifndef MISTAKE
#define MISTAKE NONE    /* what is done wrongly */
#endif
mtype = { NO_FENCE, NO_CONFIRM, NO_SECOND_LOOK_UP, NO_TAKEOVER, NO_GUARD, GATE_AS_LEASE, TRUST_CANCELLED_COMMIT,
    SPLIT_UNCERTAIN, LOSE_HALF, UNWRITTEN_ANSWER, UNWRITTEN_REFUSAL,
    NOTHING_CHANGED_TOO_EARLY, EARLIER_ATTEMPT_FORGOTTEN }

#define MAX_LOAD 2
#define COMMANDS_OF(l) (l -> 4 : 3)   /* a bit for each: lane 0 has 1 and 2, lane 1 has 4 */
#define OF_PSQL (2 * PER_LANE)        /* psql's transaction, the last one */
#define NOBODY 255

mtype = { FREE, QUEUED, OPEN, SENT, SYNC, DONE }
mtype = { NONE, COMMITTED, WARNED, DUPLICATE, CONFLICT, REFUSED }

typedef Transaction {
    mtype state = FREE;  /* QUEUED at the gate, OPEN behind it, second flight SENT, in SYNC with the standby, DONE */
    bool received;       /* by the standby */
    byte batch;          /* the id in assignment_batches */
    byte commands;       /* that it registers; none: the small write that confirms an earlier transaction */
    byte acknowledged;   /* those of them that were answered "committed" by its plan */
    byte seen, placed    /* the load in its snapshot, what it adds to it */
}
Transaction tx[OF_PSQL + 1];
chan gate = [OF_PSQL + 1] of { byte };
chan wal = [OF_PSQL + 1] of { byte };    /* what is durable here and has not come to the standby, in order */
byte holder = NOBODY;                 /* of the gate */

/* What each instance knows. If its connection serves another than its transaction, it was lost. */
byte served[3] = NOBODY;
mtype reply[3] = NONE;
bool stopped[3];
byte batch[2], open[2], later[2];     /* the batch, its commands that have no answer, those of its other half */
bool uncertain[2], committing[2];     /* an earlier attempt, or this one, may have committed */
byte committed, unchanged, unknown;   /* the commands whose clients were told so */
int faults = FAULTS;

/* For use within one step. */
hidden byte s, n, load, once, twice, kept, batches, broken;
hidden mtype verdict;

#define IF(condition, action) if :: condition -> action :: else fi
#define MUST(property, condition) if :: condition :: else -> broken = property; assert(broken != property) fi
#define happens(fault) (faults / (fault) % 4) -> faults = faults - (fault)
#define laneOf(t) (t / PER_LANE)
#define hasClient(t) (served[laneOf(t)] == t)
#define isDurable(t) (tx[t].state == SYNC || tx[t].state == DONE)
/* Idle in transaction, or active in ClientRead or ClientWrite. Who is well goes on within GATE_PATIENCE. */
#define waitsForClient(t) (tx[t].state == OPEN || tx[t].state == SENT)
#define standsStill(t) (t != NOBODY && waitsForClient(t) && (stopped[laneOf(t)] || !hasClient(t)))
#define isUndecided(t) (tx[t].state == QUEUED || waitsForClient(t))
#define isOtherAttempt(t, other) \
    (other != t && tx[other].commands && laneOf(other) == laneOf(t) && tx[other].batch == tx[t].batch)
#define meetsFence(t, other) (isOtherAttempt(t, other) && MISTAKE != NO_FENCE)

/* After every step that may matter to it. */
inline check() {
    n = 0; load = 0; once = 0; twice = 0; kept = 0; batches = 0;
    for (s : 0 .. OF_PSQL) {
        IF(isDurable(s),
            load = load + tx[s].placed;
            twice = twice | (once & tx[s].commands);
            once = once | tx[s].commands
        );
        IF(tx[s].state == DONE, kept = kept | (tx[s].acknowledged & tx[s].commands));
        IF(isDurable(s) && tx[s].commands,
            MUST(3, !(batches & (1 << (3 * laneOf(s) + tx[s].batch))));
            batches = batches | (1 << (3 * laneOf(s) + tx[s].batch))
        );
        IF(waitsForClient(s) || (tx[s].state == SYNC && tx[s].commands), n++)
    }
    MUST(1, !twice && committed == kept);
    MUST(2, !(unchanged & once));
    MUST(4, load <= MAX_LOAD);
    MUST(5, n <= 1 || !GATE);
    n = 0
}

inline tell(l, commands_, answers) {
    MUST(7, !((committed | unchanged | unknown) & (commands_)));
    answers = answers | (commands_);
    open[l] = open[l] & ~(commands_);
    later[l] = later[l] & ~(commands_)
}

/* ---- The server ---- */

inline forget(t) {
    tx[t].state = FREE; tx[t].received = false; tx[t].batch = 0; tx[t].commands = 0; tx[t].acknowledged = 0;
    tx[t].seen = 0; tx[t].placed = 0
}

inline undo(t) {
    IF(tx[t].state == QUEUED, gate??eval(t));
    IF(holder == t, holder = NOBODY);
    forget(t)
}

inline lose(l) { served[l] = NOBODY; reply[l] = NONE }
inline respond(t, words) { IF(hasClient(t), reply[laneOf(t)] = words) }
/* A small write is forgotten once the standby has it. */
inline tidy(t) { IF(tx[t].state == DONE && tx[t].received && !tx[t].commands && !tx[t].placed, forget(t)) }

/* It becomes visible and lets go of its locks, then its client is told. */
inline finish(t, words) {
    tx[t].state = DONE; tx[t].seen = 0;
    IF(holder == t, holder = NOBODY);
    respond(t, words);
    tidy(t)
}

/* A transaction that waits for the standby is durable here: only the wait ends. */
inline terminate(t) {
    IF(hasClient(t), lose(laneOf(t)));
    IF(isUndecided(t), undo(t));
    IF(tx[t].state == SYNC, finish(t, NONE))
}

inline secondFlight(t) {
    load = 0; verdict = COMMITTED;
    for (s : 0 .. OF_PSQL) {
        load = load + (tx[s].state == DONE -> tx[s].placed : 0);
        IF(meetsFence(t, s) && tx[s].state == DONE, verdict = DUPLICATE)
    }
    /* The operator is full, or its row has changed since the snapshot; psql reads and writes at once. */
    IF(tx[t].placed && (load + tx[t].placed > MAX_LOAD || t != OF_PSQL && load != tx[t].seen) && MISTAKE != NO_GUARD,
        verdict = CONFLICT);
    /* Another one that is not visible yet has written that row, or the batch's id: it waits, for moments only. */
    for (s : 0 .. OF_PSQL) {
        IF(s != t && tx[s].state == SYNC && (tx[s].placed && tx[t].placed || meetsFence(t, s)), verdict = CONFLICT)
    }
    if
    :: verdict == COMMITTED -> tx[t].state = SYNC; wal!t
    :: else -> respond(t, verdict); undo(t)
    fi
}

#define me (_pid - 5)
proctype Backend() {
end:
    do
    :: atomic {
        if
        :: d_step { holder == NOBODY && gate?[eval(me)] -> gate?eval(me); holder = me; tx[me].state = OPEN }
        :: d_step { tx[me].state == SENT -> secondFlight(me) }
        :: d_step { tx[me].state == SENT && happens(REFUSE); respond(me, REFUSED); undo(me) }
        :: d_step { wal?[eval(me)] -> wal?eval(me); tx[me].received = true; tidy(me) }
        :: d_step { tx[me].state == SYNC && tx[me].received -> finish(me, COMMITTED) }
        :: d_step { tx[me].state == SYNC && happens(CANCEL); finish(me, WARNED) }
        :: d_step { (isUndecided(me) || tx[me].state == SYNC) && happens(KILL); terminate(me) }
        :: d_step { me == OF_PSQL && tx[me].state == FREE && happens(PSQL); tx[me].placed = 1; secondFlight(me) }
        :: d_step { isUndecided(me) && !hasClient(me) && !LIVENESS -> undo(me) } /* It notices that nobody is there. */
        fi;
        d_step { check() }
       }
    od
}

/* All transactions end; those that are durable become visible. */
inline crash() {
    lose(0); lose(1);
    for (n : 0 .. OF_PSQL) { terminate(n) }
}

proctype Disaster() {
end:
    do
    :: atomic {
        if
        :: d_step { served[0] != NOBODY && happens(CUT); lose(0) }
        :: d_step { served[1] != NOBODY && happens(CUT); lose(1) }
        :: d_step { happens(CRASH); crash(); n = 0 }
        :: d_step { happens(FAILOVER); crash();
            do :: wal?n -> forget(n) :: empty(wal) -> break od;
            n = 0 /* The new primary has a new standby, which has all that it has. */
           }
        :: d_step { !stopped[0] && happens(STOP); stopped[0] = true }
        :: d_step { !stopped[1] && !LIVENESS && happens(STOP); stopped[1] = true }
        :: stopped[0] && !LIVENESS -> stopped[0] = false
        :: stopped[1] -> stopped[1] = false
        fi;
        d_step { check() }
       }
    od
}

/* ---- An instance ---- */

#define lane (_pid - 1)
#define lost (served[lane] != t)
#define isAnswered (!lost && (reply[lane] == COMMITTED || reply[lane] == WARNED && MISTAKE == TRUST_CANCELLED_COMMIT))
#define isWarned (!lost && reply[lane] == WARNED && MISTAKE != TRUST_CANCELLED_COMMIT)

/* On the connection, or on a new one. */
inline begin(state_) {
    t = lane * PER_LANE;
    do :: tx[t].state != FREE -> t++ :: else -> break od;
    assert(t < (lane + 1) * PER_LANE); /* or PER_LANE is too small */
    served[lane] = t; reply[lane] = NONE;
    tx[t].state = state_
}

inline acknowledge(attempt_) {
    tx[attempt_].acknowledged = tx[attempt_].acknowledged | open[lane];
    tell(lane, open[lane], committed)
}

/* Steps are one where it makes no difference whether something happens between them or before or after them. */
proctype Lane() provided (!stopped[lane]) {
    byte t = NOBODY, earlier = NOBODY, suspect = NOBODY;

attempt:
    if
    :: !open[lane] && !later[lane] -> goto closed
    :: d_step { !open[lane] && later[lane] ->
        open[lane] = later[lane]; later[lane] = 0; batch[lane]++; uncertain[lane] = false
       }
       goto attempt
    :: d_step { open[lane] -> /* The look-up, if there is need. */
        earlier = NOBODY; suspect = NOBODY;
        for (s : lane * PER_LANE .. lane * PER_LANE + PER_LANE - 1) {
            IF(uncertain[lane] && tx[s].state == DONE && tx[s].commands && tx[s].batch == batch[lane], earlier = s)
        }
        if
        :: earlier == NOBODY && GATE -> begin(QUEUED); tx[t].batch = batch[lane]; gate!t
        :: earlier == NOBODY && !GATE -> begin(OPEN); tx[t].batch = batch[lane]
        :: earlier != NOBODY && MISTAKE != NO_CONFIRM -> begin(SYNC); wal!t
        :: earlier != NOBODY && MISTAKE == NO_CONFIRM -> served[lane] = t; reply[lane] = COMMITTED
        fi
       }
    fi;

    /* The small write, whose wait for the standby covers the earlier attempt. */
    do
    :: earlier == NOBODY -> break
    :: d_step { earlier != NOBODY && isAnswered -> acknowledge(earlier); lose(lane); check() } goto attempt
    :: d_step { earlier != NOBODY && isWarned -> lose(lane) } goto attempt
    :: earlier != NOBODY && lost && MISTAKE != NO_SECOND_LOOK_UP -> goto attempt
    :: d_step { earlier != NOBODY && lost && MISTAKE == NO_SECOND_LOOK_UP -> begin(SYNC); wal!t }
    od;

    /* At the gate. Whoever stands still behind it is looked at twice. */
    do
    :: lost -> goto attempt
    :: d_step { !lost && tx[t].state == QUEUED && standsStill(holder) && MISTAKE != NO_TAKEOVER -> suspect = holder }
        if
        :: d_step { holder != suspect || !standsStill(suspect) -> suspect = NOBODY }
        :: holder == suspect && standsStill(suspect) -> /* It may go on now, before it is terminated. */
            d_step {
                IF(MISTAKE == GATE_AS_LEASE && holder == suspect, holder = NOBODY);
                IF(MISTAKE != GATE_AS_LEASE, terminate(suspect));
                suspect = NOBODY;
                check()
            }
        fi
    :: d_step { !lost && tx[t].state == OPEN -> /* The first flight, and the decision. */
        load = 0;
        for (s : 0 .. OF_PSQL) { load = load + (tx[s].state == DONE -> tx[s].placed : 0) }
        n = (open[lane] & 1) + (open[lane] >> 1 & 1) + (open[lane] >> 2);
        tx[t].seen = load;
        tx[t].commands = open[lane];
        tx[t].placed = (n < MAX_LOAD - load -> n : MAX_LOAD - load); /* The others wait for an operator. */
        /* It finds nothing to write, as an earlier attempt did it all: without a second flight it meets no fence. */
        for (s : 0 .. OF_PSQL) { IF(isOtherAttempt(t, s) && tx[s].state == DONE, earlier = s) }
        IF(earlier != NOBODY && MISTAKE == UNWRITTEN_ANSWER, acknowledge(earlier); undo(t); lose(lane));
        IF(earlier != NOBODY && MISTAKE == UNWRITTEN_REFUSAL, tell(lane, open[lane], unchanged); undo(t); lose(lane));
        earlier = NOBODY;
        n = 0
       }
       break
    od;

    /* The second flight, unless somebody was told meanwhile that nothing changed. */
    atomic {
        if
        :: d_step { !lost && open[lane] && open[lane] == tx[t].commands -> committing[lane] = true; tx[t].state = SENT }
        :: d_step { !lost && !(open[lane] && open[lane] == tx[t].commands) -> undo(t); lose(lane) }
        :: lost
        fi;
        d_step { check() }
    }
    atomic {
        if
        :: d_step { lost -> uncertain[lane] = uncertain[lane] || committing[lane] }
        :: d_step { isAnswered -> acknowledge(t) }
        :: isWarned -> uncertain[lane] = true
        :: !lost && (reply[lane] == DUPLICATE || reply[lane] == CONFLICT)
        :: d_step { !lost && reply[lane] == REFUSED ->
            n = open[lane] & (open[lane] - 1);
            if
            :: uncertain[lane] && MISTAKE != SPLIT_UNCERTAIN -> tell(lane, open[lane], unknown)
            :: !uncertain[lane] && !n -> tell(lane, open[lane], unchanged)
            :: else -> /* Its halves are batches of their own. */
                later[lane] = (MISTAKE == LOSE_HALF -> 0 : n);
                open[lane] = open[lane] & ~n; batch[lane]++; uncertain[lane] = false
            fi
           }
        fi;
        d_step { committing[lane] = false; lose(lane); check() }
    }
    goto attempt;

closed:
    skip;
    d_step { t = NOBODY; MUST(7, !(COMMANDS_OF(lane) & ~(committed | unchanged | unknown))); n = 0 }
}

/* Deadlines pass at any moment. */
#undef lane
#define lane (_pid - 3)
#define expires(command) (command & DEADLINES & COMMANDS_OF(lane) & (open[lane] | later[lane]))
#define mayHaveCommitted \
    (uncertain[lane] && MISTAKE != EARLIER_ATTEMPT_FORGOTTEN \
    || committing[lane] && MISTAKE != NOTHING_CHANGED_TOO_EARLY)
proctype Clock() provided (!stopped[lane]) {
    byte command;
end:
    do
    :: atomic {
        if
        :: expires(1) -> command = 1
        :: expires(2) -> command = 2
        :: expires(4) -> command = 4
        fi;
        d_step {
            if
            :: (open[lane] & command) && mayHaveCommitted -> tell(lane, command, unknown)
            :: else -> tell(lane, command, unchanged)
            fi;
            command = 0;
            check()
        }
       }
    od
}

init {
    atomic {
        open[0] = COMMANDS_OF(0); open[1] = COMMANDS_OF(1);
        run Lane(); run Lane(); run Clock(); run Clock();
        for (n : 0 .. OF_PSQL) { run Backend() }
        run Disaster()
    }
}

#if LIVENESS
#define waits (served[1] != NOBODY && tx[served[1]].state == QUEUED)
ltl through { [] (waits -> <> !waits) }
ltl answered { <> (committed & 4) }
#endif
