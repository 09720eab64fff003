-- The entities that a newer revision map no longer has: the list of deletions that dumps never give.
-- Reads: old, new (entity, revision): revision maps. A negative revision says that the entity was deleted.
-- Gives: entity (text, such as Q31), revision (the last known, a 64-bit number). Sorted by the letter of the entity, then by
-- its number. Of a kind that the newer map has none of, none: a part of it is missing. `headwater reconcile maps --only deleted` says
-- the same.
WITH earlier AS (
  SELECT entity, revision FROM old WHERE revision > 0
),
later AS (
  SELECT entity FROM new WHERE revision > 0
),
kinds AS (
  SELECT DISTINCT substr(entity, 1, 1) AS kind FROM later
)
SELECT earlier.entity AS entity, earlier.revision AS revision
FROM earlier LEFT ANTI JOIN later ON earlier.entity = later.entity
WHERE substr(earlier.entity, 1, 1) IN (SELECT kind FROM kinds)
ORDER BY substr(earlier.entity, 1, 1), CAST(substr(earlier.entity, 2) AS BIGINT)
