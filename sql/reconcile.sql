-- What the running state and a newer revision map disagree on, as `headwater reconcile dump` names it: for a state that is younger
-- than the map, and but for what could not be sent.
-- Reads: state (kind, number, revision, deleted): a savepoint; new (entity, revision): the revision map.
-- Gives: entity (text, such as Q31), class (missing, older, restored: wrong in the state; gone, deleted: only the wiki can tell;
-- newer, created_since, deleted_since: expected), status (created, deleted or absent), revision (that of the state or NULL),
-- dump_revision (or NULL); no row where both agree, and none of kinds that the map lacks. Sorted by the letter of the entity, then by
-- its number.
WITH known AS (
  SELECT concat(kind, CAST(number AS STRING)) AS entity, revision, deleted FROM state
),
dumped AS (
  SELECT entity, revision FROM new WHERE revision > 0
),
kinds AS (
  SELECT DISTINCT substr(entity, 1, 1) AS kind FROM dumped
),
newest AS (
  SELECT max(revision) AS revision FROM dumped
),
compared AS (
  SELECT
    coalesce(known.entity, dumped.entity) AS entity,
    CASE WHEN known.entity IS NULL THEN 'absent' WHEN known.deleted THEN 'deleted' ELSE 'created' END AS status,
    known.revision AS revision,
    dumped.revision AS dump_revision
  FROM known FULL OUTER JOIN dumped ON known.entity = dumped.entity
),
classed AS (
  SELECT
    compared.entity AS entity,
    CASE
      WHEN compared.status = 'absent' THEN 'missing'
      WHEN compared.status = 'created' AND compared.dump_revision IS NULL AND compared.revision > newest.revision
        THEN 'created_since'
      WHEN compared.status = 'created' AND compared.dump_revision IS NULL THEN 'gone'
      WHEN compared.dump_revision IS NULL THEN NULL
      WHEN compared.status = 'created' AND compared.revision < compared.dump_revision THEN 'older'
      WHEN compared.status = 'created' AND compared.revision > compared.dump_revision THEN 'newer'
      WHEN compared.status = 'created' THEN NULL
      WHEN compared.revision < compared.dump_revision THEN 'restored'
      WHEN compared.revision > compared.dump_revision THEN 'deleted_since'
      ELSE 'deleted'
    END AS class,
    compared.status AS status,
    compared.revision AS revision,
    compared.dump_revision AS dump_revision
  FROM compared CROSS JOIN newest
)
SELECT classed.entity AS entity, classed.class AS class, classed.status AS status, classed.revision AS revision,
  classed.dump_revision AS dump_revision
FROM classed INNER JOIN kinds ON substr(classed.entity, 1, 1) = kinds.kind
WHERE classed.class IS NOT NULL
ORDER BY substr(classed.entity, 1, 1), CAST(substr(classed.entity, 2) AS BIGINT)
