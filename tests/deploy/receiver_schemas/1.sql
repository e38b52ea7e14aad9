-- What the receiver stores, for PostgreSQL 12 or later: psql -d tensormask -f schema.sql
-- Times are the devices' own, except heard_at, received_at and last_at.
BEGIN;

-- Every document of a violation once: one when it is confirmed, one when it is over.
-- A repeat is the same byte for byte, so `at` in the key refuses no repeat less; a table that is
-- partitioned by time needs it there.
CREATE TABLE violation (
    event_id uuid NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL,
    device_id text NOT NULL,
    sequence bigint NOT NULL,
    site text NOT NULL,
    zone text NOT NULL,
    kind text NOT NULL,
    started_at timestamptz NOT NULL,
    confirmed_at timestamptz NOT NULL,
    ended_at timestamptz,
    duration_s double precision NOT NULL,
    clock_synchronised boolean NOT NULL,
    document jsonb NOT NULL,
    arrival bigint GENERATED ALWAYS AS IDENTITY,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, state, at)
);
CREATE INDEX ON violation (at);
CREATE INDEX ON violation (device_id, arrival) INCLUDE (sequence, at);
CREATE INDEX ON violation USING brin (received_at);

-- The latest availability, compliance, health and release of each device.
CREATE TABLE state (
    device_id text NOT NULL,
    kind text NOT NULL,
    site text NOT NULL,
    zone text NOT NULL,
    at timestamptz NOT NULL,
    heard_at timestamptz,
    document jsonb NOT NULL,
    PRIMARY KEY (device_id, kind)
);

-- Who came in each hour, a row for each run of a device's program, which counts from zero: add them
-- up. What a run has counted before the hour is in the columns before_. Where the hour before is not
-- there, and with a device that does not tell its run, the counts reach back one hour from the last
-- document instead.
CREATE TABLE compliance (
    device_id text NOT NULL,
    hour timestamptz NOT NULL,
    run text NOT NULL,
    site text NOT NULL,
    zone text NOT NULL,
    at timestamptz NOT NULL,
    seen integer NOT NULL,
    masked integer NOT NULL,
    bare integer NOT NULL,
    unknown integer NOT NULL,
    worn_wrongly integer NOT NULL,
    watched_s double precision NOT NULL,
    before_seen integer NOT NULL,
    before_masked integer NOT NULL,
    before_bare integer NOT NULL,
    before_unknown integer NOT NULL,
    before_worn_wrongly integer NOT NULL,
    before_watched_s double precision NOT NULL,
    PRIMARY KEY (device_id, hour, run)
);

-- Documents that could not be read or stored, each once, with what may be a picture blotted out.
CREATE TABLE unreadable (
    digest bytea PRIMARY KEY,
    topic text NOT NULL,
    reason text NOT NULL,
    payload text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);

-- How many documents came of kinds that this receiver does not know, or does not want.
CREATE TABLE ignored (
    kind text PRIMARY KEY,
    documents bigint NOT NULL,
    last_at timestamptz NOT NULL
);

-- What is missing: a row for each run of sequences that did not come (yet) between two that did.
-- What came before the first and after the last is nobody's knowledge. A document 1 begins a new
-- count: the device was set up anew. From 10^12 on a device counts that has lost its count, and from
-- 10^15 on, each run of it from another place, while it can write nothing: the way up there and back,
-- and from one run to the next, is no gap.
CREATE VIEW gap AS
SELECT device_id, previous + 1 AS first, sequence - 1 AS last, sequence - previous - 1 AS documents,
       previous_at AS after, at AS before
FROM (
    SELECT device_id, sequence, at,
           lag(sequence) OVER count AS previous, lag(at) OVER count AS previous_at
    FROM (
        SELECT device_id, sequence, at,
               count(*) FILTER (WHERE sequence = 1)
                   OVER (PARTITION BY device_id ORDER BY arrival) AS setup
        FROM violation
    ) AS counted
    WINDOW count AS (PARTITION BY device_id, setup, sequence > 1000000000000,
                     sequence >= 1000000000000000 ORDER BY sequence)
) AS neighbours
WHERE sequence > previous + 1 AND (sequence < 1000000000000000 OR sequence - previous < 1000000);

CREATE VIEW device AS
SELECT device_id,
       (array_agg(site ORDER BY heard_at DESC NULLS LAST))[1] AS site,
       (array_agg(zone ORDER BY heard_at DESC NULLS LAST))[1] AS zone,
       min(document ->> 'state') FILTER (WHERE kind = 'availability') AS availability,
       max(heard_at) AS heard_at,
       (array_agg(document) FILTER (WHERE kind = 'health'))[1] AS health
FROM state
GROUP BY device_id;

-- Three times the health interval, [health] interval_s: 30 s. Where yours is longer, so is this.
-- Everybody silent at once is the receiver, the broker or the network.
CREATE VIEW silent AS
SELECT * FROM device
WHERE availability IS DISTINCT FROM 'online' OR heard_at IS NULL
   OR heard_at < now() - 3 * interval '30 seconds';

-- Keep it no longer than it is needed: SELECT forget(90). By the time of arrival, since the clock
-- of a device may be years off.
CREATE FUNCTION forget(days integer) RETURNS void LANGUAGE sql AS $$
    DELETE FROM violation WHERE received_at < now() - make_interval(days => days);
    DELETE FROM unreadable WHERE received_at < now() - make_interval(days => days);
    DELETE FROM compliance WHERE hour < now() - make_interval(days => days);
    DELETE FROM ignored WHERE last_at < now() - make_interval(days => days);
$$;

COMMIT;
