-- Phones lose what is not seen (zero-width characters, marks of direction, soft hyphens) and full-width punctuation, and
-- have their digits in ASCII. Leads that were stored otherwise get it, unless another lead has that value already: no two
-- leads are merged, and the one that comes second keeps what it has.
DO $$
DECLARE
    -- The digits 0 to 9 of each script that Unicode has (general category Nd), by the number of its 0.
    digits text := (
        SELECT string_agg(chr(zero + digit), '' ORDER BY zero, digit)
        FROM pg_catalog.unnest(ARRAY[
            1632, 1776, 1984, 2406, 2534, 2662, 2790, 2918, 3046, 3174, 3302, 3430, 3558, 3664, 3792, 3872, 4160, 4240,
            6112, 6160, 6470, 6608, 6784, 6800, 6992, 7088, 7232, 7248, 42528, 43216, 43264, 43472, 43504, 43600, 44016,
            65296, 66720, 68912, 69734, 69872, 69942, 70096, 70384, 70736, 70864, 71248, 71360, 71472, 71904, 72016,
            72784, 73040, 73120, 92768, 92864, 93008, 120782, 120792, 120802, 120812, 120822, 123200, 123632, 125264,
            130032]) AS zero,
            pg_catalog.generate_series(0, 9) AS digit);
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RETURN;
    END IF;
    UPDATE leads AS l SET phone = n.value
    FROM (
        SELECT DISTINCT ON (value) id, value
        FROM (
            SELECT id, phone, normalize(
                translate(
                    regexp_replace(
                        phone,
                        '[\u00AD\u034F\u061C\u180B-\u180F\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFE00-\uFE0F'
                            || '\uFEFF\uFF08\uFF09\uFF0E\uFF3B\uFF3D\uFF5B\uFF5D\uFFF9-\uFFFB]', '', 'g'),
                    digits || chr(65291) || chr(65122), repeat('0123456789', length(digits) / 10) || '++'),
                NFC) AS value
            FROM leads
            -- Most are ASCII, and to count bytes is quicker than to look at each character.
            WHERE octet_length(phone) > char_length(phone)
        ) AS n
        WHERE value <> phone AND value <> ''
        ORDER BY value, id
    ) AS n
    WHERE l.id = n.id AND NOT EXISTS (SELECT FROM leads AS o WHERE o.phone = n.value);
END
$$;
