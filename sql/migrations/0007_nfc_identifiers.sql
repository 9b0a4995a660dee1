-- Phones and emails are compared in Unicode's form NFC: "й" is one character, however it was typed. Leads that were
-- stored in another form get it, unless another lead has that value already: no two leads are merged, and the one that
-- comes second keeps what it has.
DO $$
DECLARE
    identifier text;
BEGIN
    -- Only UTF-8 has such forms, and normalize() refuses anything else.
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RETURN;
    END IF;
    FOREACH identifier IN ARRAY ARRAY['phone', 'email'] LOOP
        EXECUTE pg_catalog.format(
            $statement$
            UPDATE leads AS l SET %1$I = n.value
            FROM (
                SELECT DISTINCT ON (value) id, value
                FROM (
                    SELECT id, normalize(%1$I, NFC) AS value FROM leads
                    -- Most are ASCII, and to count bytes is quicker than to look at each character.
                    WHERE octet_length(%1$I) > char_length(%1$I) AND %1$I IS NOT NFC NORMALIZED
                ) AS n
                ORDER BY value, id
            ) AS n
            WHERE l.id = n.id AND NOT EXISTS (SELECT FROM leads AS o WHERE o.%1$I = n.value)
            $statement$, identifier);
    END LOOP;
END
$$;
