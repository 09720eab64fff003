-- What happened to entities between two revision maps.
-- Reads: old, new (entity, revision): revision maps. A negative revision says that the entity was deleted.
-- Gives: entity (text, such as Q31), old_revision, new_revision (64-bit numbers or NULL), change (created, changed or
-- deleted); no row for what stayed the same. Sorted by the letter of the entity, then by its number.
WITH earlier AS (
  SELECT entity, revision FROM old WHERE revision > 0
),
later AS (
  SELECT entity, revision FROM new WHERE revision > 0
),
compared AS (
  SELECT
    coalesce(earlier.entity, later.entity) AS entity,
    earlier.revision AS old_revision,
    later.revision AS new_revision
  FROM earlier FULL OUTER JOIN later ON earlier.entity = later.entity
)
SELECT
  entity,
  old_revision,
  new_revision,
  CASE WHEN old_revision IS NULL THEN 'created' WHEN new_revision IS NULL THEN 'deleted' ELSE 'changed' END AS change
FROM compared
WHERE old_revision IS DISTINCT FROM new_revision
ORDER BY substr(entity, 1, 1), CAST(substr(entity, 2) AS BIGINT)
