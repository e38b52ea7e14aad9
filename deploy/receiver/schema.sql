-- What the receiver stores, for PostgreSQL 12 or later: psql -d tensormask -f schema.sql
-- Run it again after an update: it adds what is new, and keeps all rows.
-- Times are the devices' own, except heard_at, received_at and last_at.
BEGIN;
SET LOCAL client_min_messages = warning;

-- Every document of a violation once: one when it is confirmed, one when it is over.
-- A repeat is the same byte for byte, so `at` in the key refuses no repeat less; a table that is
-- partitioned by time needs it there.
CREATE TABLE IF NOT EXISTS violation (
    event_id uuid NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL,
    device_id text NOT NULL,
    sequence bigint NOT NULL,
    site text NOT NULL,
    zone text NOT NULL,
    place text NOT NULL DEFAULT '',
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
ALTER TABLE violation ADD COLUMN IF NOT EXISTS place text NOT NULL DEFAULT '';
CREATE INDEX IF NOT EXISTS violation_at_idx ON violation (at);
CREATE INDEX IF NOT EXISTS violation_device_id_arrival_sequence_at_idx
    ON violation (device_id, arrival) INCLUDE (sequence, at);
CREATE INDEX IF NOT EXISTS violation_received_at_idx ON violation USING brin (received_at);

-- What somebody did about a violation; of several the latest `at` counts. Its sequence is of the same
-- count as that of violations, and so is `arrival`.
CREATE TABLE IF NOT EXISTS acknowledgement (
    event_id uuid NOT NULL,
    at timestamptz NOT NULL,
    device_id text NOT NULL,
    sequence bigint NOT NULL,
    reason text NOT NULL,
    remedy text NOT NULL,
    note text NOT NULL,
    by text NOT NULL,
    clock_synchronised boolean NOT NULL,
    document jsonb NOT NULL,
    arrival bigint NOT NULL DEFAULT nextval('violation_arrival_seq'),
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, at)
);
CREATE INDEX IF NOT EXISTS acknowledgement_device_id_arrival_sequence_at_idx
    ON acknowledgement (device_id, arrival) INCLUDE (sequence, at);
CREATE INDEX IF NOT EXISTS acknowledgement_received_at_idx
    ON acknowledgement USING brin (received_at);

-- Every violation with the last that was said of it; reason is null where nobody has said anything.
CREATE OR REPLACE VIEW alert AS
SELECT violation.device_id, violation.event_id, site, zone, kind, confirmed_at,
       said.at AS acknowledged_at, said.by, said.reason, said.remedy, said.note
FROM violation
LEFT JOIN LATERAL (
    SELECT * FROM acknowledgement WHERE acknowledgement.event_id = violation.event_id
    ORDER BY at DESC LIMIT 1
) AS said ON true
WHERE violation.state = 'confirmed';

-- The latest availability, compliance, health and release of each device.
CREATE TABLE IF NOT EXISTS state (
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
CREATE TABLE IF NOT EXISTS compliance (
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

-- What each run of a device had counted by place, a zone in its picture, at the end of each hour.
CREATE TABLE IF NOT EXISTS place (
    device_id text NOT NULL,
    hour timestamptz NOT NULL,
    run text NOT NULL,
    place text NOT NULL,
    at timestamptz NOT NULL,
    seen integer NOT NULL,
    masked integer NOT NULL,
    bare integer NOT NULL,
    unknown integer NOT NULL,
    worn_wrongly integer NOT NULL,
    PRIMARY KEY (device_id, hour, run, place)
);

-- Who came in each hour, by place; an empty one is what is in no zone. Add up the runs. A zone that was
-- drawn anew counts from zero. Hours of which nothing came are in the next one.
CREATE OR REPLACE VIEW place_hour AS
SELECT device_id, hour, run, place,
       seen - CASE WHEN before_seen <= seen THEN before_seen ELSE 0 END AS seen,
       masked - CASE WHEN before_seen <= seen THEN before_masked ELSE 0 END AS masked,
       bare - CASE WHEN before_seen <= seen THEN before_bare ELSE 0 END AS bare,
       unknown - CASE WHEN before_seen <= seen THEN before_unknown ELSE 0 END AS unknown,
       worn_wrongly - CASE WHEN before_seen <= seen THEN before_worn_wrongly ELSE 0 END
           AS worn_wrongly
FROM (
    SELECT *, lag(seen, 1, 0) OVER former AS before_seen,
           lag(masked, 1, 0) OVER former AS before_masked,
           lag(bare, 1, 0) OVER former AS before_bare,
           lag(unknown, 1, 0) OVER former AS before_unknown,
           lag(worn_wrongly, 1, 0) OVER former AS before_worn_wrongly
    FROM place
    WINDOW former AS (PARTITION BY device_id, run, place ORDER BY hour)
) AS counted;

-- What each hour came to, as each history of a device knows it: a row is replaced by the same hour
-- with a greater revision. A device with a new disk has another history; its part of an hour is a
-- row of its own. The counts are in the document: the views below take them out.
CREATE TABLE IF NOT EXISTS hour (
    device_id text NOT NULL,
    hour timestamptz NOT NULL,
    history text NOT NULL,
    revision bigint NOT NULL,
    site text NOT NULL,
    zone text NOT NULL,
    follows timestamptz,
    at timestamptz NOT NULL,
    clock_synchronised boolean NOT NULL,
    document jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (device_id, hour, history)
);
-- Whether a time server has confirmed any second of it; whether anything is counted in it, or it only
-- takes back what a wrong clock had dated.
ALTER TABLE hour ADD COLUMN IF NOT EXISTS is_dated boolean GENERATED ALWAYS AS
    (document @? '$.watched[*] ? (@.clock_synchronised == true)') STORED;
ALTER TABLE hour ADD COLUMN IF NOT EXISTS is_counted boolean GENERATED ALWAYS AS
    (document @? '$.watched[*]') STORED;
CREATE INDEX IF NOT EXISTS hour_hour_idx ON hour (hour);

-- Documents that could not be read or stored, each once, with what may be a picture blotted out.
CREATE TABLE IF NOT EXISTS unreadable (
    digest bytea PRIMARY KEY,
    topic text NOT NULL,
    reason text NOT NULL,
    payload text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);

-- How many documents came of kinds that this receiver does not know, or does not want.
CREATE TABLE IF NOT EXISTS ignored (
    kind text PRIMARY KEY,
    documents bigint NOT NULL,
    last_at timestamptz NOT NULL
);

-- What is missing: a row for each run of sequences that did not come (yet) between two that did.
-- What came before the first and after the last is nobody's knowledge. A document 1 begins a new
-- count: the device was set up anew. From 10^12 on a device counts that has lost its count, and from
-- 10^15 on, each run of it from another place, while it can write nothing: the way up there and back,
-- and from one run to the next, is no gap.
CREATE OR REPLACE VIEW gap AS
SELECT device_id, previous + 1 AS first, sequence - 1 AS last, sequence - previous - 1 AS documents,
       previous_at AS after, at AS before
FROM (
    SELECT device_id, sequence, at,
           lag(sequence) OVER count AS previous, lag(at) OVER count AS previous_at
    FROM (
        SELECT device_id, sequence, at,
               count(*) FILTER (WHERE sequence = 1)
                   OVER (PARTITION BY device_id ORDER BY arrival) AS setup
        FROM (
            SELECT device_id, sequence, at, arrival FROM violation
            UNION ALL SELECT device_id, sequence, at, arrival FROM acknowledgement
        ) AS durable
    ) AS counted
    WINDOW count AS (PARTITION BY device_id, setup, sequence > 1000000000000,
                     sequence >= 1000000000000000 ORDER BY sequence)
) AS neighbours
WHERE sequence > previous + 1 AND (sequence < 1000000000000000 OR sequence - previous < 1000000);

CREATE OR REPLACE VIEW device AS
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
CREATE OR REPLACE VIEW silent AS
SELECT * FROM device
WHERE availability IS DISTINCT FROM 'online' OR heard_at IS NULL
   OR heard_at < now() - 3 * interval '30 seconds';

-- The people of each hour, once each: by device, camera, place (a zone in its picture), rule and size.
CREATE OR REPLACE VIEW hour_people AS
SELECT device_id, hour, history, site, zone, camera, place, required, size_px,
       masked, bare, unknown, worn_wrongly
FROM hour, jsonb_to_recordset(document -> 'people') AS people
    (camera text, place text, required boolean, size_px integer, masked integer, bare integer,
     unknown integer, worn_wrongly integer);

-- What each camera did in each hour, and for how long.
CREATE OR REPLACE VIEW hour_watched AS
SELECT device_id, hour, history, site, zone, camera, watch,
       watched.clock_synchronised, seconds
FROM hour, jsonb_to_recordset(document -> 'watched') AS watched
    (camera text, watch text, clock_synchronised boolean, seconds double precision);

-- With which hour each device began: the first, unless the dates before a later one are clearly wrong.
-- That is where, up to the first hour that a time server has confirmed, more than a year lies between
-- two, or more than a day and the device says that the later one follows none of the same history: the
-- clock was set in between. A message is sent when its hour is over: one that came before it began has
-- a wrong date, too.
CREATE OR REPLACE VIEW beginning AS
SELECT device_id,
       coalesce(max(hour) FILTER (WHERE dated IS NOT NULL AND (
                    hour - before > interval '365 days'
                    OR hour - before > interval '1 day' AND follows IS NULL AND history = former)),
                min(hour)) AS hour
FROM (
    SELECT hour.device_id, hour.hour, history, follows, dated,
           lag(hour.hour) OVER earlier AS before, lag(history) OVER earlier AS former
    FROM (SELECT DISTINCT device_id FROM hour) AS device
    CROSS JOIN LATERAL (
        SELECT min(h.hour) AS dated FROM hour AS h
        WHERE h.device_id = device.device_id AND h.is_dated AND h.received_at >= h.hour
    ) AS confirmed
    JOIN hour ON hour.device_id = device.device_id AND hour.is_counted
        AND hour.received_at >= hour.hour AND hour.hour <= coalesce(dated, 'infinity')
    WINDOW earlier AS (PARTITION BY hour.device_id ORDER BY hour.hour, history)
) AS early
GROUP BY device_id;

-- Every device in every hour of a period: SELECT * FROM fleet_hours('2026-03-01', '2026-04-01').
-- `account` says what is known of the hour: "reported"; "off": the device says later that its program
-- did not run; "missing": no message (yet), which is a gap; "before": earlier than its beginning;
-- "misdated": counted, but by a clock that was clearly wrong, so it belongs to another hour.
-- Seconds are means over the device's cameras; time in which it was too crowded to judge everybody in
-- time is not watched, though people are counted. People are those with the mask rule on; those
-- without it are in `no_rule`. `is_rated`: at most a quarter of the hour was not watched, and at most
-- half of its people were not judged, as in the reports of a box. To compile it (jit) takes longer
-- than it does.
CREATE OR REPLACE FUNCTION fleet_hours(since timestamptz, until timestamptz)
RETURNS TABLE (
    device_id text, hour timestamptz, account text, watched_s double precision,
    misdated_s double precision, masked bigint, bare bigint, unknown bigint, worn_wrongly bigint,
    no_rule bigint, is_rated boolean
) LANGUAGE sql STABLE SET jit = off AS $$
WITH box AS (
    SELECT device_id, hour AS first FROM beginning
    UNION ALL
    SELECT DISTINCT device_id, NULL::timestamptz FROM state
    WHERE device_id NOT IN (SELECT device_id FROM beginning)
), empty AS (
    SELECT box.device_id, box.first, hour
    FROM box CROSS JOIN generate_series(
        since, least(until, date_trunc('hour', now())) - interval '1 second', interval '1 hour'
    ) AS hour
), cell AS (
    SELECT *,
           CASE WHEN EXISTS (
                    SELECT FROM hour AS h
                    WHERE h.device_id = empty.device_id AND h.hour = empty.hour AND h.is_counted
                )
                THEN CASE WHEN empty.hour >= empty.first AND EXISTS (
                    SELECT FROM hour AS h
                    WHERE h.device_id = empty.device_id AND h.hour = empty.hour AND h.is_counted
                      AND h.received_at >= h.hour
                ) THEN 'reported' ELSE 'misdated' END
                WHEN empty.hour < empty.first THEN 'before'
                WHEN (
                    SELECT min(h.follows) < empty.hour FROM hour AS h
                    WHERE h.device_id = empty.device_id AND h.is_counted AND h.hour = (
                        SELECT min(later.hour) FROM hour AS later
                        WHERE later.device_id = empty.device_id AND later.hour > empty.hour
                          AND later.hour < now() AND later.is_counted
                          AND later.received_at >= later.hour
                    )
                ) THEN 'off'
                ELSE 'missing'
           END AS account
    FROM empty
), people AS (
    SELECT device_id, hour,
           coalesce(sum(masked) FILTER (WHERE required), 0) AS masked,
           coalesce(sum(bare) FILTER (WHERE required), 0) AS bare,
           coalesce(sum(unknown) FILTER (WHERE required), 0) AS unknown,
           coalesce(sum(worn_wrongly) FILTER (WHERE required), 0) AS worn_wrongly,
           coalesce(sum(masked + bare + unknown + worn_wrongly) FILTER (WHERE NOT required), 0)
               AS no_rule
    FROM hour_people WHERE hour >= since AND hour < until GROUP BY device_id, hour
), watched AS (
    SELECT device_id, hour,
           coalesce(sum(seconds) FILTER (WHERE watch = 'watched'), 0)
               / count(DISTINCT camera) AS watched_s,
           coalesce(sum(seconds) FILTER (WHERE NOT clock_synchronised), 0)
               / count(DISTINCT camera) AS misdated_s
    FROM hour_watched WHERE hour >= since AND hour < until GROUP BY device_id, hour
)
SELECT cell.device_id, cell.hour, cell.account,
       coalesce(watched.watched_s, 0), coalesce(watched.misdated_s, 0),
       coalesce(people.masked, 0)::bigint, coalesce(people.bare, 0)::bigint,
       coalesce(people.unknown, 0)::bigint, coalesce(people.worn_wrongly, 0)::bigint,
       coalesce(people.no_rule, 0)::bigint,
       cell.account = 'reported' AND coalesce(watched.watched_s, 0) >= 0.75 * 3600
           AND coalesce(people.unknown <= people.masked + people.bare + people.worn_wrongly, true)
FROM cell
LEFT JOIN people ON people.device_id = cell.device_id AND people.hour = cell.hour
LEFT JOIN watched ON watched.device_id = cell.device_id AND watched.hour = cell.hour
ORDER BY cell.device_id, cell.hour
$$;

-- A row for each device: what it counted in a period, and how much of the period that is.
-- `rated_masked` and `rated_bare` are of the hours that a rate may rest on.
DROP FUNCTION IF EXISTS fleet_report(timestamptz, timestamptz);
CREATE FUNCTION fleet_report(since timestamptz, until timestamptz)
RETURNS TABLE (
    device_id text, site text, zone text, hours bigint, reported bigint, off bigint, missing bigint,
    before bigint, misdated bigint, watched_s double precision, misdated_s double precision, masked bigint,
    bare bigint, unknown bigint, worn_wrongly bigint, no_rule bigint, rated_hours bigint,
    rated_masked bigint, rated_bare bigint, alerts bigint, last_hour timestamptz
) LANGUAGE sql STABLE SET jit = off AS $$
WITH sums AS (
    SELECT device_id, count(*) AS hours, count(*) FILTER (WHERE account = 'reported') AS reported,
           count(*) FILTER (WHERE account = 'off') AS off,
           count(*) FILTER (WHERE account = 'missing') AS missing,
           count(*) FILTER (WHERE account = 'before') AS before,
           count(*) FILTER (WHERE account = 'misdated') AS misdated,
           coalesce(sum(watched_s) FILTER (WHERE account = 'reported'), 0) AS watched_s,
           sum(misdated_s) AS misdated_s, sum(masked)::bigint AS masked, sum(bare)::bigint AS bare,
           sum(unknown)::bigint AS unknown, sum(worn_wrongly)::bigint AS worn_wrongly,
           sum(no_rule)::bigint AS no_rule, count(*) FILTER (WHERE is_rated) AS rated_hours,
           coalesce(sum(masked) FILTER (WHERE is_rated), 0)::bigint AS rated_masked,
           coalesce(sum(bare) FILTER (WHERE is_rated), 0)::bigint AS rated_bare
    FROM fleet_hours(since, until) GROUP BY device_id
), alerts AS (
    SELECT device_id, count(DISTINCT event_id) AS alerts FROM violation
    WHERE confirmed_at >= since AND confirmed_at < until GROUP BY device_id
), last AS (
    SELECT DISTINCT ON (device_id) device_id, site, zone, hour AS last_hour
    FROM hour WHERE hour < until ORDER BY device_id, hour DESC
)
SELECT sums.device_id, coalesce(last.site, device.site, ''), coalesce(last.zone, device.zone, ''),
       hours, reported, off, missing, before, misdated, watched_s, misdated_s, masked, bare, unknown, worn_wrongly,
       no_rule, rated_hours, rated_masked, rated_bare, coalesce(alerts, 0), last_hour
FROM sums LEFT JOIN alerts USING (device_id) LEFT JOIN last USING (device_id)
LEFT JOIN device USING (device_id)
ORDER BY 2, 3, 1
$$;

-- Keep it no longer than it is needed: SELECT forget(90). By the time of arrival, since the clock
-- of a device may be years off.
CREATE OR REPLACE FUNCTION forget(days integer) RETURNS void LANGUAGE sql AS $$
    DELETE FROM violation WHERE received_at < now() - make_interval(days => days);
    DELETE FROM hour WHERE received_at < now() - make_interval(days => days);
    DELETE FROM acknowledgement WHERE received_at < now() - make_interval(days => days);
    DELETE FROM unreadable WHERE received_at < now() - make_interval(days => days);
    DELETE FROM place WHERE hour < now() - make_interval(days => days);
    DELETE FROM compliance WHERE hour < now() - make_interval(days => days);
    DELETE FROM ignored WHERE last_at < now() - make_interval(days => days);
$$;

COMMIT;
