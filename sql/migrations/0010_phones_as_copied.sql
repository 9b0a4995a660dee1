-- Phones lose what is not seen (zero-width characters, marks of direction, soft hyphens), dashes and brackets of all scripts,
-- and have their digits in ASCII. Leads that were stored otherwise get it, unless another lead has that value already: no
-- two leads are merged, and the one that comes second keeps what it has.
DO $$
DECLARE
    -- White space, dashes, opening and closing punctuation, format and other ignorable characters of Unicode 16, beyond ASCII.
    nothing text := '[\u0085\u00A0\u00AD\u034F\u058A\u05BE\u0600-\u0605\u061C\u06DD\u070F\u0890-\u0891\u08E2'
        || '\u0F3A-\u0F3D\u115F-\u1160\u1400\u1680\u169B-\u169C\u17B4-\u17B5\u1806\u180B-\u180F'
        || '\u2000-\u2015\u201A\u201E\u2028-\u202F\u2045-\u2046\u2053\u205F-\u206F\u207B'
        || '\u207D-\u207E\u208B\u208D-\u208E\u2212\u2308-\u230B\u2329-\u232A\u2768-\u2775'
        || '\u27C5-\u27C6\u27E6-\u27EF\u2983-\u2998\u29D8-\u29DB\u29FC-\u29FD\u2E17\u2E1A'
        || '\u2E22-\u2E29\u2E3A-\u2E3B\u2E40\u2E42\u2E55-\u2E5D\u3000\u3008-\u3011\u3014-\u301F'
        || '\u3030\u30A0\u3164\uFD3E-\uFD3F\uFE00-\uFE0F\uFE17-\uFE18\uFE31-\uFE32\uFE35-\uFE44'
        || '\uFE47-\uFE48\uFE58-\uFE5E\uFE63\uFEFF\uFF08-\uFF09\uFF0D-\uFF0E\uFF3B\uFF3D\uFF5B\uFF5D'
        || '\uFF5F-\uFF60\uFF62-\uFF63\uFFA0\uFFF0-\uFFFB\U00010D6E\U00010EAD\U000110BD\U000110CD'
        || '\U00013430-\U0001343F\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E0FFF]';
    -- The digits 0 to 9 of each script that Unicode has, by the number of its 0.
    digits text := (
        SELECT string_agg(chr(zero + digit), '' ORDER BY zero, digit)
        FROM pg_catalog.unnest(ARRAY[
            1632, 1776, 1984, 2406, 2534, 2662, 2790, 2918, 3046, 3174, 3302, 3430, 3558, 3664,
            3792, 3872, 4160, 4240, 6112, 6160, 6470, 6608, 6784, 6800, 6992, 7088, 7232, 7248,
            42528, 43216, 43264, 43472, 43504, 43600, 44016, 65296, 66720, 68912, 68928, 69734,
            69872, 69942, 70096, 70384, 70736, 70864, 71248, 71360, 71376, 71386, 71472, 71904,
            72016, 72688, 72784, 73040, 73120, 73184, 73552, 90416, 92768, 92864, 93008, 93552,
            118000, 120782, 120792, 120802, 120812, 120822, 123200, 123632, 124144, 124401, 125264,
            130032
        ]) AS zero, pg_catalog.generate_series(0, 9) AS digit);
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
                    regexp_replace(phone, nothing, '', 'g'), digits || chr(65291) || chr(65122),
                    repeat('0123456789', length(digits) / 10) || '++'),
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
