-- What oned was asked, and when: one row for each answer that came whole.
CREATE TABLE feed (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    window_from INTEGER NOT NULL,
    window_to INTEGER NOT NULL,
    records INTEGER NOT NULL
) STRICT;

-- Every version of every record that was ever seen. A version that no other supersedes holds.
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    feed INTEGER NOT NULL REFERENCES feed,
    supersedes INTEGER UNIQUE REFERENCES entry,
    digest INTEGER NOT NULL,
    vm INTEGER NOT NULL,
    born INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    uid INTEGER NOT NULL,
    user TEXT NOT NULL,
    gid INTEGER NOT NULL,
    grp TEXT NOT NULL,
    host TEXT NOT NULL,
    image TEXT NOT NULL,
    cpu_milli INTEGER NOT NULL,
    vcpu INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL,
    disk_mib INTEGER NOT NULL,
    nics INTEGER NOT NULL,
    public_ips INTEGER NOT NULL,
    stime INTEGER NOT NULL,
    etime INTEGER NOT NULL,
    pstime INTEGER NOT NULL,
    petime INTEGER NOT NULL,
    rstime INTEGER NOT NULL,
    retime INTEGER NOT NULL,
    estime INTEGER NOT NULL,
    eetime INTEGER NOT NULL,
    action INTEGER NOT NULL,
    off INTEGER NOT NULL
) STRICT;
CREATE INDEX entry_record ON entry (vm, born, seq);
-- Records whose running time reaches into a window.
CREATE INDEX entry_running ON entry (retime, rstime);

-- A machine whose record was open and that oned no longer showed, or showed again.
CREATE TABLE mark (
    id INTEGER PRIMARY KEY,
    feed INTEGER NOT NULL REFERENCES feed,
    vm INTEGER NOT NULL,
    born INTEGER NOT NULL,
    vanished INTEGER NOT NULL,
    -- Vanished: the last feed that saw it. Returned: the feed that did.
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX mark_machine ON mark (vm, born, id);

-- What publication put out: one row for each run.
CREATE TABLE publication (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    records INTEGER NOT NULL,
    replaced INTEGER NOT NULL
) STRICT;

-- What APEL has of each machine and month: state, not history.
CREATE TABLE published (
    vm INTEGER NOT NULL,
    born INTEGER NOT NULL,
    month INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    PRIMARY KEY (vm, born, month)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER feed_stays BEFORE UPDATE ON feed
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER feed_is_kept BEFORE DELETE ON feed
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER mark_stays BEFORE UPDATE ON mark
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER mark_is_kept BEFORE DELETE ON mark
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER publication_stays BEFORE UPDATE ON publication
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER publication_is_kept BEFORE DELETE ON publication
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
