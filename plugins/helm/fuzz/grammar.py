"""Makes up charts for fuzz.py: templates of Go's whole syntax over odd values, and flags.

Every function that Helm exposes stands in FUNCTIONS with the kinds of its arguments; an argument is of
another kind now and then. What takes from chance or the clock stands in SHAPES, looked at from outside.
"""
import json, random

TEXTS = ["", "a", "b", "foo", "foo bar", "héllo wörld", "FooBar_baz-quxHTTPServer2x", "  padded  ", "a,b,,c", "1.2.3", "42", "-7",
         "3.14", "1e3", "0x1F", "0777", "true", "null", "~", "2024-02-29", "a/b/../c.tar.gz", "<b>&'\"=", "line1\nline2\n", "日本語テキスト",
         "\t", "%d %s", "a.b.c", "ǅabc", "İstanbul", "straße", "👍🏽 ok", "key: value", "- x", "{a: b}", "[1, 2]", "\u200b", "\u2028",
         "A", "aaa", "abcabcabc", "x\\y", "`tick`", "\u00a0", "1.0", "yes", "<no value>", "e\u0301", "ﬀ", "Ωmega", "one two three four five six",
         "@every", "#c", "a: 'b'", "\"q\"", "\r\n", "$5", "v1", "TRUE", ".5", "+1", "1_000", "0b11", "Inf", "NaN", "\u0001", "é" * 12,
         "very long text " * 6, "\\xff", "'", "''", "multi\n\n\nline", " lead", "trail ", "a\tb", "\ufeffbom", "~user", "!tag", "&x", "*y", "|", ">", "?", "%"]
KEYS = ["a", "b", "c", "key", "on", "x.y", "a-b", "0", "", "k k", "é", "list", "map", "nul", "Name"]
RAW = [r'"\xff\xfe"', r'"a\xc3"', r'"\u263a\U0001F600"', r'"\a\b\f\v\\\""', r'"\101"', "`raw\\n`", r'"caf\u00e9"', r'"\x00"', r'"\xe4\xb8"']
INTS = ["0", "1", "2", "3", "5", "-1", "-2", "7", "10", "16", "64", "100", "0x1F", "0b101", "017", "0o17", "1_000", "'a'", "'\\n'", "'é'", "-5", "+3"]
BIG = ["9223372036854775807", "-9223372036854775808", "2147483648", "4294967295", "1000000", "1e3", "1e6", "65", "128512"]
FLOATS = ["0.0", "1.5", "-2.5", "3.14159", "1e-7", "1e21", "1e100", "123456789.0", "0.1", "-0.0", "1e6", "2.5e-3", "0x1p-2", "1234567.0", "100000.0", ".5", "1.e3", "5e-324"]
LAYOUTS = ["2006-01-02", "2006-01-02T15:04:05Z07:00", "Mon Jan _2 15:04:05 MST 2006", "02 Jan 06 15:04 -0700", "Monday, 02-Jan-06 15:04:05 MST",
           "3:04PM", "15:04:05.000", "15:04:05.999999", "20060102", "__2 002", "2006 Z0700 -07 Z07 -070000 Z070000 -07:00:00 Z07:00:00", "1/2/06 3:4:5 pm", "January Jan Monday Mon MST", "Month _2006",
           ",000 .9 .0", "", "x", "2006-1-2", "05.00", "Jan_2", "15h04", "02T", "06", "PMpm", "Jan2", "12006", "2006001", "5.0", "5,999"]
DATES = ["2024-02-29", "2024-02-29T12:34:56Z", "2024-02-29T12:34:56+02:00", "Mon Jan  2 15:04:05 UTC 2006", "29 Feb 24 12:34 -0500", "3:04PM", "12:00am", "15:04:05.123",
         "20240229", "2023-02-30", "0001-01-01", "9999-12-31", "1969-12-31", "2024-13-01", "abc", "", "2024-2-9", "2024-02-29T12:34:56.789-07:30", "02 Jan 06 15:04 CET",
         "2024-02-29T24:00:00Z", "12:34:56.7", "2024-02-29 12:34:56 +0000 UTC", "Thursday, 29-Feb-24 12:34:56 EST", "24-02-29"]
ZONES = ["UTC", "", "Local", "Europe/Vienna", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Tokyo", "Nowhere/City", "America/Sao_Paulo", "Pacific/Apia",
         "Africa/Casablanca", "Europe/Dublin", "EST", "EST5EDT", "Etc/GMT+5", "GMT", "Asia/Tehran", "America/St_Johns", "CET", "utc", "Asia/Kathmandu", "../etc", "Pacific/Chatham", "Antarctica/Troll"]
DURATIONS = ["1h", "90m", "1h2m3.5s", "-1.5h", "100ms", "2us", "1ns", "0", "", "3", "2.5", "1d", "abc", "+5s", "1h-2m", ".5s", "1.s", "2562047h47m16.854775807s", "9999999h", "1µs", "1e3", "720h", "-24h", " 1h ", "1h 2m"]
REGEXES = ["a", "[a-z]+", "^a.*c$", "(\\w+) (\\w+)", "\\d+", "[[:alpha:]]+", "(?i)FOO", "a|b", "", ".", "\\s+", "(?P<n>o+)", "(?<m>b)", "x*", "[^a-z]", "\\bfoo\\b", "(a)(b)?", "a{2}", "a{2,3}?", "\\pL+",
           "\\p{Greek}", "\\PN", "[\\d.]+", "\\.", "(", "[", "a**", "+", "a{1001}", "\\Qa.b\\E", "(?U)a+", "(?s).+", "(?m)^.", "\\C", "\\z", "\\A", "\\Z", "[[:word:]]", "[[:foo:]]", "\\x41", "\\x{1F44D}",
           "[a-\\d]", "\\8", "(?=a)", "a{,2}", "{", "a{2", "]", "[]a]", "[^]a]", "[a&&b]", "[\\^a]", "\\-", "(?:a|b)+", "a+?", "(?i:A)b", "\\pZ", "\\p{Lu}\\p{Ll}", "[\\pL\\d_]", "(?-s).", "$", "^", "\\b", "b*", "(|a)*", "(?i)straSSe",
           "[z-a]", "\\", "a\\", ")", "?", "a??", "a?+", "\\07", "\\0", "\\123", "\\a\\f\\v", "[\\a]", "\\p{^L}", "\\p{Foo}", "\\pX", "(?P<n>a)(?P<n>b)", "(?P<1>a)", "(?z)a", "(?i", "é", "[é-ü]", "日", "\\u0041", "a{0}", "a{0,0}b", "(a{100}){11}", "[[:^alpha:]]", "[\\s\\S]", "[\\W]", "\\D", "[^\\D]", "(?i)\u212a", "(?i)[k]", "(?P=n)", "(?#c)", "\\_", "\\é", "\\'", "\\/", "a#b", "a b", "[ #]", "[a--b]", "[~~]", "[a||b]", "[-a]", "[a-]", "[a-b-c]", "^*", "(^)*", "$+", "\\b+", "(?i)", "(?i)*", "|*", "(*)", "a|*", "(?s-m:.)", "(?sU)", "(?-)", "(?--i)", "(?^a)"]
EXPANDS = ["x", "$1", "${1}x", "$1x", "$$", "${n}", "$n", "", "$0", "[$2$1]", "$", "${", "${}", "${1", "$é", "\\1", "$-1", "${m}-", "$01", "$9", "$1_", "a$"]
VERSIONS = ["1.2.3", "v1.2.3", "1.2", "1", "v2", "1.2.3-alpha.1", "1.2.3-beta+build.5", "1.10.0", "0.0.1", "0.2.3", "0.0.0", "v1.29.3-gke.100", "1.2.3.4", "abc", "", "01.2.3", "1.2.3-01", "1.2.3-", "1.2.3+", "1.x", "2.0.0-rc.1", "1.2.3-alpha", "1.2.3-alpha.beta", "1.2.3-1", "1.2.3-x.7.z.92", "99999999999999999999.0.0", "1.2.4", "V1.2.3", " 1.2.3", "1.2.3 ", "1.3", "1.2.0", "2.3.4", "1.2.3-00a", "1.2.3--1"]
CONSTRAINTS = ["1.2.3", "^1.2.3", "~1.2.3", ">=1.2", "<2", ">1 <3", ">1, <3", "1.2.x", "*", "1.2 - 1.4", "!=1.2.3", "^0.2.3", "^0.0.3", "~1", "~1.2.x", ">= 1.2.3-0", "^1.2.3-alpha", "1.x || >=2.5", "=1.2", "=>1.2", "=<1.3", "~>1.2", "", "abc", ">", "1.2.3.4", "> 1.2.x", "<= 1.2", "<=1.2.x", "!=1.x", "^0", "^0.0", "~0", ">1.2 || abc", ">=1.2.3, <2.0.0-0", "<0.0.1", "v1.2", "^v1", ">=v1.2", "1.2.3 || ", "||", "1.2 -1.4", "1.2- 1.4", "~1.2.3-beta.2", "^1.x", "x", "X.1", ">x", "!=*", "<*", "1,2", "1 2", ">=1.2.3+build", "^0.x", "~0.x", "<1.x", "<=1", ">1", ">=1.x.x", "1.*.3", ">=1.2 <1.4 || 2.x", "=1.2.3-alpha", "!=1.2.3-alpha", "<1.2.3-beta"]
URLS = ["http://user:pa%20ss@host.com:8080/p/a%2Fth?q=1&r=a+b#frag%20x", "https://example.com", "//host/path", "/just/path", "mailto:a@b.c", "http://[::1]:80/x", "http://host:port/", "%zz", "http://a b.com/", "ftp://x/y;z", "host:80", "",
        "http://h/é", "http://h?q", "http://h/#", "http://h?", "HTTP://H/X", "http://h:/x", "http://%41/", "http://[::1%25en0]/", "a:b:c", "http://u@h", "http://:p@h", "http://h/%", "#f", "?q=1", "http://h/a b", "http://h\\x", "http://[::1", "http:///p", "x:", "1http://h", "http://h/..//a/./b", "http://h/%2f%2F", "http://é.com/", "http://h#a#b", "http://u:p:q@h", "http://h/a:b", "a/b:c", "./a:b", "*", "http://h/*", "http://h/a?b?c", "http://h/\u0001", "tel:%20x", "http://h/%zz#x", "http://h#%zz", "http://u%zz@h/", "http://h/~a!b$c&d'e(f)g*h+i,j;k=l:m@n[o]p", "http://h/p#a<b>c\"d`e", "http://<h>/", "http://h:80:90/", "http://h:08/", "http://a@b@c/"]
YAMLS = ["a: 1\nb: [x, y]\n", "- 1\n- two\n- {c: d}\n", "a: &x {k: v}\nb: *x\n", "text", "", "a: 0777\nb: 0o17\nc: 1e3\nd: yes\ne: ~\nf: 2024-02-29\n", "a: |\n  x\n  y\nb: >-\n  f\n  g\n", "a: b: c", "[1, 2", "a: 1\na: 2\n", "? x\n: y\n", "---\na: 1\n---\nb: 2\n", "1: x\ntrue: y\n",
         "a: 12345678901234567890\nb: 1.0\nc: .5\nd: 1_000\ne: .inf\n", "<<: {a: 1}\nb: 2\n", "a: !!str 5\n", "\t- x", "a:\n- b\n-c", "null", "{}", "[]", "a: \"\\u263a\\x41\"\n", "x: 'it''s'\n", "a: !!binary aGk=\n", "a: 0x1F\nb: 0b11\nc: +1\nd: -0\ne: 1.\n", "%YAML 1.1\n---\na: 1\n", "a: @x\n", "a: *y\n", "a: {b: c,}\n", "a: [b, ]\n", "- - 1\n  - 2\n- x: 1\n  y: 2\n", "a:\n    b:\n  c: d\n", "# c\na: 1 # d\n", "a: 1.5e3\nb: 123456.789\nc: 1e21\n", "\"a\": 'b'\n", "a : b", "a:b", "-", "- ", "? a", "a: 99999999999999999\n", "2024-01-01: x\n", "1.5: x\n~: y\n", "a: 1:30\nb: 190:20:30\n", "a: \"x\ny\"\n", "...", "--- a", "a: 'x"]
JSONS = ['{"a": 1, "b": [true, null, "x"]}', "[1, 2.5, 1e3, \"s\"]", '"text"', "12", "", "{", '{"a": }', "null", '{"a": 12345678901234567890}', '{"a":"\\u00e9\\ud83d\\ude00\\n"}', "[1,]", "{'a': 1}", "true", "[]", "{}", '{"a":1}x', '{"a":1,"a":2}', "nul", '"\\ud800"', "-", "01", "1.", "1e", '"\\x"', '"a\nb"', "[1 2]", '{"a" 1}', '{"a":1,}', '{1:2}', " 1 ", "1e999", "-0", "1E+2", '{"b":{"c":[[]]}}', "\ufeff{}", "tru", '["a', '{"a":"b', "[[[[", "]"]
TOMLS = ["a = 1\n", "a = \"x\"\nb = [1, 2]\n[t]\nc = true\n", "[[l]]\nn = 1\n[[l]]\nn = 2\n", "a.b.c = 1.5\n", "d = 2024-02-29T12:34:56Z\n", "d = 2024-02-29\n", "d = 12:34:56\n", "x = '''\nraw\n'''\n", "a = {b = 1, c = \"d\"}\n", "a = ", "= 1", "a = 1\na = 2\n", "[t]\n[t]\n", "x = 0xFF\ny = 0o17\nz = 0b11\nw = 1_000\n", "f = inf\n", "s = \"\\u00e9\\n\\\"\"\n", "a = [1, \"x\"]\n", "bad", "", "# c\na = 1 # d\n", "a = 1.\n", "\"q k\" = 1\n", "[a]\nb=1\n[a.c]\nd=2\n", "a = 08\n", "a = yes\n", "a = 1e3\nb = 1.5E-2\n", "a = -0\nb = +1\n", "a = nan\n", "x = \"\"\"\na\\\n   b\"\"\"\n", "a = 'x\n", "a = \"x\n", "[a\n", "[[a]\n", "a = [1, 2\n", "a = {b = 1\n", "a = 1 b = 2\n", "a..b = 1\n", "a = 2024-02-29T12:34:56+02:00\n", "a = 2024-02-29 12:34:56\n", "a = 2024-02-30\n", "a = 12:60:00\n", "a = 9223372036854775808\n", "a = 1__0\n", "a = _1\n", "a = \"\\q\"\n", "a = [[1],[2.5]]\n", "[x.y.z]\n", "a = []\n", "a = {}\n", "[a]\n[[a]]\n", "a = 1\n[a]\n", "a = [ # c\n 1,\n]\n", "é = 1\n", "a = tru\n", "a = 1979-05-27T00:32:00.999\n"]
PATHS = ["a/b/c.txt", "/a/../b", "", ".", "..", "a//b", "/", "x.tar.gz", ".hidden", "a/", "../../x", "a/./b", "//", "a.b/c", "/.."]
CRON = ["Mon", "x"]
FORMATS = ["%v", "%d", "%s", "%q", "%x", "%X", "%t", "%f", "%g", "%e", "%E", "%G", "%T", "%c", "%U", "%b", "%o", "%O", "%%", "%#v", "%+v", "%+d", "% d", "%05d", "%-5d|", "%5s|", "%-5s|", "%.2s", "%.2f", "%8.3f", "%08.3f", "%+.1e", "%#x", "%#o", "%#q", "%+q",
           "% x", "%# x", "%#U", "%6v|", "%-8v|", "%08v", "%.3v", "%[2]v %[1]v", "%[3]v", "%*d", "%.*f", "%-*d|", "%!", "%", "%z", "%[x]d", "%[1", "%.d", "%5.1d", "%+v", "%x %v", "%v %v", "%d %s %q", "%5t|", "%5c|", "%-5q|", "%05s", "%+05d", "% 05d", "%#b", "%#X",
           "%5%", "%-05d|", "%.0f", "%.0d", "%#g", "%#.3g", "%#e", "%.10g", "%3c|", "%-3c|", "%#T", "%10T|", "%[1]*[2]d", "%[2]*[1]d", "%w", "%p", "%é", "%[0]d", "%[1]d %d", "%.[2]f", "%6.2f%%", "%v\n", "%s%s", "é%5sé", "%x", "%+x", "% +d", "%#+v", "%.3q", "%.1x", "%10.2v|", "%010.2e", "%+08.2f", "% .2f", "%#.0f", "%#v %#v", "%1000d", "%.3t", "%99999999d", "%.99999999d"]

# Kinds of arguments: s text, i int, n number or what is taken for one, f float, b truth, l list, d map, a anything,
# t time, T time or number, v version; texts of a kind: y layout, D date, z zone, u duration, r regex, e expansion,
# w version, c constraint, x URL, Y yaml, J json, M toml, p path, k key, F format. A * repeats the last.
FUNCTIONS = """
ago:skip
date y T:s
dateInZone y T z:s
date_in_zone y T z:s
dateModify u t:t
date_modify u t:t
mustDateModify u t:t
must_date_modify u t:t
duration a:s
duration u:s
duration i:s
durationRound u:s
durationRound i:s
durationRound s:s
htmlDate T:s
htmlDateInZone T z:s
toDate y D:t
mustToDate y D:t
unixEpoch t:s
mustToDuration U:U
durationSeconds U:f
durationMilliseconds U:i
durationMicroseconds U:i
durationNanoseconds U:i
durationMinutes U:f
durationHours U:f
durationDays U:f
durationWeeks U:f
durationRoundTo U U:U
durationTruncateTo U U:U
hello:s
abbrev i s:s
abbrevboth i i s:s
trunc i s:s
trim s:s
upper s:s
lower s:s
title s:s
untitle s:s
substr i i s:s
repeat i s:s
trimall s s:s
trimAll s s:s
trimSuffix s s:s
trimPrefix s s:s
nospace s:s
initials s:s
swapcase s:s
snakecase s:s
camelcase s:s
kebabcase s:s
wrap i s:s
wrapWith i s s:s
contains s s:b
hasPrefix s s:b
hasSuffix s s:b
quote a*:s
squote a*:s
cat a*:s
indent i s:s
nindent i s:s
replace s s s:s
plural s s i:s
sha1sum s:s
sha256sum s:s
sha512sum s:s
adler32sum s:s
toString a:s
atoi s:i
int64 n:i
int n:i
float64 n:f
seq i*:s
toDecimal a:i
split s s:d
splitList s s:l
splitn s i s:d
toStrings a:l
toStrings l:l
until i:l
untilStep i i i:l
add1 n:i
add n*:i
sub n n:i
div n n:i
mod n n:i
mul n n*:i
add1f n:f
addf n*:f
subf n n*:f
divf n n*:f
mulf n n*:f
biggest n n*:i
max n n*:i
min n n*:i
maxf n n*:f
minf n n*:f
ceil n:f
floor n:f
round n i:f
round n i f:f
join s l:s
join s a:s
sortAlpha l:l
default a a:a
empty a:b
coalesce a*:a
all a*:b
any a*:b
compact l:l
mustCompact l:l
fromJson J:d
fromJsonArray J:l
mustFromJson J:a
toJson a:s
toPrettyJson a:s
toRawJson a:s
mustToJson a:s
mustToPrettyJson a:s
mustToRawJson a:s
ternary a a b:a
deepCopy a:a
mustDeepCopy a:a
typeOf a:s
typeIs s a:b
typeIsLike s a:b
kindOf a:s
kindIs s a:b
deepEqual a a:b
getHostByName s:s
base p:s
dir p:s
clean p:s
ext p:s
isAbs p:b
osBase p:s
osDir p:s
osClean p:s
osExt p:s
osIsAbs p:b
b64enc s:s
b64dec s:s
b32enc s:s
b32dec s:s
tuple a*:l
list a*:l
dict k a*:d
dict k a k a:d
get d k:a
set d k a:d
unset d k:d
hasKey d k:b
pluck k d*:l
pick d k*:d
omit d k*:d
merge d d*:d
mergeOverwrite d d*:d
mustMerge d d*:d
mustMergeOverwrite d d*:d
append l a:l
push l a:l
mustAppend l a:l
mustPush l a:l
prepend l a:l
mustPrepend l a:l
first l:a
mustFirst l:a
last l:a
mustLast l:a
rest l:l
mustRest l:l
initial l:l
mustInitial l:l
reverse l:l
mustReverse l:l
uniq l:l
mustUniq l:l
without l a*:l
mustWithout l a*:l
has a l:b
mustHas a l:b
slice l i*:l
slice l i i:l
slice s i i:s
mustSlice l i i:l
concat l*:l
dig k a d:a
dig k k a d:a
chunk i l:l
mustChunk i l:l
derivePassword:skip
decryptAES s s:s
semver w:v
semverCompare c w:b
fail s:s
regexMatch r s:b
mustRegexMatch r s:b
regexFindAll r s i:l
mustRegexFindAll r s i:l
regexFind r s:s
mustRegexFind r s:s
regexReplaceAll r s e:s
mustRegexReplaceAll r s e:s
regexReplaceAllLiteral r s e:s
mustRegexReplaceAllLiteral r s e:s
regexSplit r s i:l
mustRegexSplit r s i:l
regexQuoteMeta s:s
urlParse x:d
urlJoin d:s
toToml d:s
toToml a:s
mustToToml d:s
mustToToml a:s
fromToml M:d
toYaml a:s
mustToYaml a:s
toYamlPretty d:s
toYamlPretty l:s
toYamlPretty s:s
fromYaml Y:d
fromYamlArray Y:l
required s a:a
lookup s s s s:d
tpl Z a:s
include N a:s
and a a*:a
or a a*:a
not a:b
len a:i
len s:i
len l:i
index l i:a
index d k:a
index a a*:a
slice s i*:s
html a*:s
js a*:s
urlquery a*:s
print a*:s
println a*:s
printf F a*:s
printf F a*:s
printf F a*:s
eq a a:b
eq n n*:b
ne a a:b
lt n n:b
le n n:b
gt n n:b
ge n n:b
lt s s:b
eq s s*:b
call a a*:a
"""

# What is random, seen in a way that does not change.
SHAPES = ["kindOf now", "typeOf now", 'len (randAlphaNum 7)', 'regexMatch "^[a-zA-Z]{4}$" (randAlpha 4)', 'regexMatch "^[0-9]{4}$" (randNumeric 4)',
          'regexMatch "^[ -~]{9}$" (randAscii 9)', "randInt 3 4", 'len (randBytes 10)', 'len (b64dec (randBytes 10))', 'regexMatch "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$" uuidv4',
          'len (shuffle "abcdef")', "randInt 5 5", "randInt 5 1", "randAlpha -1", "randAlpha 0", 'randBytes -1 | len', 'randBytes "x"', 'kindOf (ago now)', 'ago now', 'kindOf (encryptAES "0123456789abcdef" "x")',
          'decryptAES "0123456789abcdef" (encryptAES "0123456789abcdef" "hello")', 'decryptAES "" (encryptAES "" "héllo")', '(htpasswd "u" "p" | splitList ":" | first)', 'htpasswd "a:b" "p"', 'keys .Values.m | sortAlpha', 'len (values .Values.m)',
          'keys (dict "x" 1) (dict "y" 2) | sortAlpha', 'values (dict "x" 1)', 'genPrivateKey "foo"', 'genPrivateKey 1', 'date "2006" now | len', 'derivePassword 1 "long" "password" "user" "example.com"', 'derivePassword 2 "pin" "p" "u" "s"',
          'derivePassword 1 "foo" "p" "u" "s"', 'now.Location | toString', 'kindOf (now | dateModify "1h")', 'genSelfSignedCert "a" nil nil "x"', 'typeOf (now.Sub now)', 'buildCustomCert "x" "y"', 'buildCustomCert "!" "y"']
SLOW = ['regexMatch "^.2[aby].[0-9]{2}.[./A-Za-z0-9]{53}$" (bcrypt "x")', 'contains "BEGIN RSA PRIVATE KEY" (genPrivateKey "rsa")', 'contains "BEGIN EC PRIVATE KEY" (genPrivateKey "ecdsa")', 'contains "BEGIN PRIVATE KEY" (genPrivateKey "ed25519")',
        'genPrivateKey "" | splitList "\\n" | first', 'typeOf (genCA "x" 365)', '(genCA "x" 365).Cert | contains "BEGIN CERTIFICATE"', 'len (genSelfSignedCert "x" (list "127.0.0.1") (list "a.b") 10).Cert | lt 500', 'genSelfSignedCert "x" (list "bad") nil 10', 'derivePassword 1 "maximum" "p" "u" "s"']
METHODS = {"t": ['Format "2006-01-02 MST"', "Unix", "UnixNano", "Year", "Month", "Day", "Hour", "Minute", "Second", "YearDay", "Weekday", "UTC", "String", "IsZero", "Nanosecond", "UnixMilli", "UnixMicro", "Location", "Zone", "Nope", "Equal 1", "Date", "GoString",
                 "AddDate 1 2 3", "ISOWeek", "IsDST", "Local", "MarshalText", "Clock"],
           "v": ["Major", "Minor", "Patch", "Prerelease", "Metadata", "Original", "String", "IncMajor", "IncMinor", "IncPatch", "Nope", "Compare 1", 'SetPrerelease "x"', 'Equal (semver "1.2.3")', 'LessThan (semver "2")', 'GreaterThan (semver "1")', 'Compare (semver "1.2.3-a")', 'SetMetadata "x"', 'IncPatch.Major', "Validate"],
           "U": ["Hours", "Seconds", "String", "Minutes", "Milliseconds", "Nope", "Round 1", "Abs", "Nanoseconds", "Truncate 5", "Microseconds"]}
FIELDS = [".Values.s", ".Values.n", ".Values.f", ".Values.big", ".Values.t", ".Values.l", ".Values.ls", ".Values.m", ".Values.nul", ".Values.empty", ".Values.m.b.c.d", ".Values.m.a", ".Values.m.n", ".Values.missing", ".Values.missing.deep", ".Values.s.x",
          ".Values.l.x", ".Values.n.x", ".Values.nul.x", ".Release.Name", ".Release.Revision", ".Release", ".Chart.Name", ".Chart", ".Chart.Version", ".Chart.Nope", ".Chart.Maintainers", ".Chart.IsRoot", ".Capabilities.KubeVersion", ".Capabilities.KubeVersion.Major", ".Capabilities.KubeVersion.Version", ".Capabilities.KubeVersion.GitVersion",
          ".Capabilities.APIVersions.Has \"v1\"", ".Capabilities.APIVersions | len", ".Capabilities.HelmVersion.Version", ".Files", '.Files.Get "f.txt"', '.Files.Get "nope"', '.Files.Lines "f.txt"', '(.Files.Glob "*.txt").AsConfig', '(.Files.Glob "**").AsSecrets', '.Files.GetBytes "f.txt"', ".Template.Name", ".Template.BasePath",
          ".Template", ".Subcharts", "$", ".", "$.Values.s", ".Nope", ".Nope.x", ".Values", ".Values.Nope.x.y", ".Chart.Annotations", ".Chart.Dependencies", ".Release.Service", ".Values.AsMap", ".Values.global", '.Files.Glob "f*"', ".Values.m.e", ".Values.lm", ".Capabilities.APIVersions.Nope", ".Chart.name", ".Subcharts.sub", ".Subcharts.sub.Values", ".Values.sub", ".Chart.Keywords", ".Chart.AppVersion", ".Chart.KubeVersion", ".Chart.Deprecated", ".Chart.Type", ".Release.IsInstall", ".Capabilities", ".Capabilities.HelmVersion"]
SETS = ["a=b", "n=5", "n=007", "f=1.5", "t=true", "nul=null", "m.a=x", "m.b.c=y", "l[0]=z", "l[2].k=v", "ls={a,b,c}", "s=a\\,b", "x\\.y=1", "a=", "=b", "a", "a[=1", "a[-1]=1", "a[999999]=1", "m={}", "a=1,b=2", "s=\"q\"", "s=a b", "l[1][2]=x", "a={", "a={x", "a.b[0]=1", "a[0].b[1].c=d", "s=12345678901234567890", "s=1e3", "s=0x10", "t=True", "nul=", "m=null", "m.b=null", "a=b=c", "a==", "a..b=1", ".a=1", "a.=1", "s.x=1", "l.x=1", "l[0", "l[a]=1", "m[0]=1", "a={b,{c}}", "a[0]={x,y}", "n=-5", "n=+5", "s=é", "sub.s=over", "global.g=1", "a={},b=1", "s=a\\=b", "s=\\", "s=a\\", "a={a\\,b,c}", "t=false,", ",", "s= x", " s=x", "nul=~", "n=1_000", "n=9223372036854775808", "s=\n", "s=0", "s=00", "s=-0", "a.b.c.d.e=1,a.b.c.x=2", "l={}", "l=null", "l[0]=null", "s=nan"]
SETJSON = ['a={"b":[1,2]}', "a=1", "a=[1", '{"x":{"y":null}}', 'l[0]={"k":"v"}', "a=null", 'm.a="x"', 'a="x",b=2', 'a=', "a={}", "[1]", "a=1.5", "a=12345678901234567890", 'a={"b":null}', "x", "m.b=null", 'a=true,b=false', "{}", "a= 1"]
SETLITERAL = ["a=b,c={d}", "s=x\\,y", "m.a=a=b", "l[0]=x", "s=", "a", "n=5", "a[0", "s=[1]", "a.b=c.d"]
VALUES = """s: héllo wörld
n: 42
f: 3.75
big: 1e6
z: 0
neg: -7
t: true
l: [3, 1, 2, 1, null, "x", ""]
ls: [b, a, c]
lm: [{a: 1, b: x}, {a: 2}, {}]
m: {a: 1, b: {c: {d: x}}, e: [1, 2], n: null, "a.b": y}
nul: ~
empty: ""
d: "2024-02-29T12:34:56Z"
global: {g: one}
"""
CHART = "apiVersion: v2\nname: c\nversion: 0.1.0\nappVersion: \"1.0\"\nkeywords: [k]\nmaintainers: [{name: m, email: e}]\nannotations: {a: b}\n"
SUB = {"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.2.3\n", "charts/sub/values.yaml": "s: inner\nglobal: {g: two, h: three}\nm: {a: 1, x: ~}\n"}


def table():
    found = {}
    for line in FUNCTIONS.strip().splitlines():
        head, _, result = line.partition(":")
        name, *kinds = head.split()
        if result != "skip":
            found.setdefault(result, []).append((name, kinds))
    return found


BY_RESULT = table()
ALL = [(name, kinds, result) for result, known in BY_RESULT.items() for name, kinds in known]
POOLS = {"y": LAYOUTS, "D": DATES, "z": ZONES, "u": DURATIONS, "r": REGEXES, "e": EXPANDS, "w": VERSIONS, "c": CONSTRAINTS, "x": URLS, "Y": YAMLS, "J": JSONS, "M": TOMLS, "p": PATHS, "k": KEYS, "F": FORMATS}


def quoted(text):
    """A Go literal of a text."""
    return json.dumps(text, ensure_ascii=False).replace("\\/", "/").replace("\x7f", "\\x7f")


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.variables = []
        self.templates = ["t0", "t1"]
        self.only = None

    def chance(self, p):
        return self.r.random() < p

    def text(self):
        return self.r.choice(RAW) if self.chance(.03) else quoted(self.r.choice(TEXTS))

    def call(self, name, kinds, depth):
        words = [name]
        for at, kind in enumerate(kinds):
            count = self.r.choice([0, 1, 1, 2, 3]) if kind.endswith("*") else 1
            words += [self.arg(kind[0], depth - 1) for _ in range(count)]
        if self.chance(.015):
            words.append(self.arg("a", 0))
        elif len(words) > 1 and self.chance(.015):
            words.pop()
        if len(words) > 1 and self.chance(.15):
            last = words.pop()
            return "%s | %s" % (last[1:-1] if last.startswith("(") and last.endswith(")") and last.count("(") == 1 else last, " ".join(words))
        return " ".join(words)

    def arg(self, kind, depth):
        if self.chance(.06) and kind != "T":
            kind = self.r.choice("sinfbldatvU")
        e = self.expr(kind, depth)
        return "(%s)" % e if " " in e and e[0] not in "\"'`" else e

    def expr(self, kind, depth):
        r = self.r
        if kind in POOLS:
            pool = POOLS[kind]
            return quoted(r.choice(pool)) if self.chance(.92) else self.expr("s", depth)
        if kind == "T":
            return self.leaf("t") if self.chance(.8) else self.r.choice(INTS)
        if kind == "Z":
            return "`%s`" % self.body(1).replace("`", "'") if self.chance(.8) else self.text()
        if kind == "N":
            return quoted(r.choice(self.templates + ["nope"])) if self.chance(.95) else self.text()
        if kind == "a":
            kind = r.choice("ssinfbllddtvaU") if depth > 0 else r.choice("ssinfblld")
            if kind == "a":
                return r.choice(["nil", ".Values.nul", "(list)", "(dict)", ".", "$", '""', "0", "false"] + [v for v in self.variables])
        if self.chance(.12):
            if self.variables and self.chance(.5):
                return r.choice(self.variables)
            return r.choice(FIELDS)
        if kind in METHODS and self.chance(.12) and depth > 0:
            return "(%s).%s" % (self.expr(kind, depth - 1), r.choice(METHODS[kind]))
        if kind == "U":
            return quoted(r.choice(DURATIONS)) if self.chance(.5) or depth <= 0 else "mustToDuration " + self.arg(r.choice("uni"), 0)
        if kind == "n":
            if self.chance(.1):
                return r.choice(BIG)
            kind = r.choice("iiifffsb")
        if depth <= 0 or self.chance(.35):
            return self.leaf(kind)
        known = BY_RESULT.get(kind) or BY_RESULT["a"]
        if self.chance(.1):
            known = BY_RESULT["a"]
        name, kinds = r.choice(known)
        return self.call(name, kinds, depth)

    def leaf(self, kind):
        r = self.r
        if kind == "s":
            return self.text()
        if kind == "i":
            return r.choice(INTS) if self.chance(.85) else r.choice(["1e3", "128512", "65"])
        if kind == "f":
            return r.choice(FLOATS)
        if kind == "b":
            return r.choice(["true", "false"])
        if kind == "l":
            return r.choice([".Values.l", ".Values.ls", ".Values.lm", "list", "(list 1 \"a\" nil 2.5 true)", "(list \"b\" \"a\" \"b\")", "(until 4)", "(splitList \",\" \"x,y,,z\")", "(list (list 1) (dict \"k\" 1))", "(tuple 3 1 2)", "(list \"\" 0 nil)", "(list 1 1.0 \"1\")", "(list nil)"])
        if kind == "d":
            return r.choice([".Values.m", ".Values", "(dict)", "(dict \"a\" 1 \"b\" (dict \"c\" nil))", "(dict \"a\" \"x\" \"list\" (list 1 2))", ".Values.m.b", "(dict \"\" 0 \"é\" 1.5)", "(split \",\" \"p,q\")", "(dict \"a\" (dict) \"b\" (list) \"c\" \"\")", "(dict \"host\" \"h\" \"scheme\" \"http\" \"path\" \"/p q\" \"query\" \"a=b\" \"fragment\" \"f\" \"userinfo\" \"u:p\")", ".Release", ".Chart"])
        if kind == "t":
            return "toDate %s %s" % r.choice([("\"2006-01-02\"", "\"2024-02-29\""), ("\"2006-01-02T15:04:05Z07:00\"", "\"2021-07-04T23:59:58.5+05:30\""), ("\"2006-01-02 15:04\"", "\"1969-12-31 23:59\""), ("\"2006\"", "\"x\""), ("\"Jan 2 2006\"", "\"Oct 31 2027\""),
                                                 ("\"2006-01-02T15:04:05Z07:00\"", "\"1985-04-12T23:20:50.52Z\""), ("\"02 Jan 06 15:04 MST\"", "\"02 Jan 26 15:04 EST\""), ("\"2006-01-02\"", "\"2050-06-01\""), ("\"2006-01-02\"", "\"1900-01-01\"")])
        if kind == "v":
            return "semver " + quoted(r.choice(VERSIONS[:12]))
        return self.text()

    def action(self, text):
        left = self.r.choice(["{{", "{{", "{{ ", "{{- ", "{{-  "])
        right = self.r.choice(["}}", " }}", " -}}", "  -}}", "\n}}" if self.chance(.3) else " }}"])
        return left + text + right

    def filler(self):
        return self.r.choice(["", " ", "\n", "x", "  y\n", "|", "\t\n  ", "a: ", "# c\n", "}}", "{ {", "é", "'"]) if self.chance(.7) else self.r.choice(TEXTS).replace("{{", "")

    def shown(self, depth):
        """An action that prints."""
        r = self.r
        kind = r.random()
        if kind < .70:
            name, kinds, _ = self.only or r.choice(ALL)
            e = self.call(name, kinds, depth)
        elif kind < .74:
            return self.action(r.choice(SHAPES))
        else:
            e = self.expr("a", depth)
        end = r.random()
        if end < .25:
            e = "%s | %s" % (e, r.choice(["toJson", "toYaml", "printf \"%v\"", "printf \"%T\"", "quote", "printf \"%#v\"", "toString", "kindOf", "typeOf", "len", "toString | b64enc", "nindent 2", "default \"d\"", "toPrettyJson", "trim", "upper", "not", "toToml", "squote", "html", "js", "urlquery"]))
        elif end < .3:
            e = "printf %s %s" % (quoted(r.choice(FORMATS)), " ".join(self.arg("a", 1) for _ in range(r.randint(0, 3))))
        return self.action(e)

    def body(self, depth):
        out = ""
        for _ in range(self.r.choice([1, 1, 2])):
            out += self.filler() + self.piece(depth)
        return out + self.filler()

    def scoped(self, depth, extra=()):
        """A body whose variables end with it."""
        known = list(self.variables)
        self.variables += extra
        out = self.body(depth)
        self.variables = known
        return out

    def piece(self, depth):
        r = self.r
        kind = r.random()
        if depth <= 0 or kind < .55:
            return self.shown(2)
        a = self.action
        if kind < .62:
            name = "$" + r.choice(["x", "y", "z", "v1"])
            e = self.expr("a", 2)
            out = a("%s := %s" % (name, e))
            self.variables.append(name)
            return out
        if kind < .65 and self.variables:
            return a("%s = %s" % (r.choice(self.variables), self.expr("a", 2)))
        if kind < .73:
            out = a("if " + self.declared(2)) + self.scoped(depth - 1)
            while self.chance(.2):
                out += a("else if " + self.expr("a", 2)) + self.scoped(depth - 1)
            return out + (a("else") + self.scoped(depth - 1) if self.chance(.4) else "") + a("end")
        if kind < .79:
            out = a("with " + self.declared(2)) + self.scoped(depth - 1)
            if self.chance(.15):
                out += a("else with " + self.expr("a", 2)) + self.scoped(depth - 1)
            return out + (a("else") + self.scoped(depth - 1) if self.chance(.4) else "") + a("end")
        if kind < .90:
            over = r.choice([self.arg("l", 2), self.arg("d", 2), self.arg("i", 0), self.arg("a", 1), ".Values.l", ".Values.m", "5", ".Files", "(list)", "nil", "2.5", "(int64 3)"])
            head, names = r.choice([("", []), ("$i, $e := ", ["$i", "$e"]), ("$e := ", ["$e"]), ("", [])])
            jump = r.choice(["", "", "", "{{break}}", "{{ continue }}", "{{ if eq . 1 }}{{ break }}{{ end }}", "{{ if . }}{{ continue }}{{ end }}"])
            out = a("range " + head + over) + jump + self.scoped(depth - 1, names) + jump
            return out + (a("else") + self.scoped(depth - 1) if self.chance(.3) else "") + a("end")
        if kind < .93:
            name = r.choice(["d1", "d2", "t0"])
            return a("define " + quoted(name)) + self.alone(depth - 1) + a("end") + a("template %s %s" % (quoted(name), self.arg("a", 1)))
        if kind < .95:
            return a("block %s %s" % (quoted(r.choice(["b1", "b2"])), self.arg("a", 1))) + self.alone(depth - 1) + a("end")
        if kind < .98:
            return a("template %s%s" % (quoted(r.choice(self.templates + ["nope"])), r.choice(["", " .", " " + self.arg("a", 1)])))
        return r.choice(["{{/* c */}}", "{{- /* c\n d */ -}}", "{{ nope }}", "{{ $u }}", "{{ end }}", "{{ else }}", "{{ if }}", "{{ .a.b. }}", "{{ \"x }}", "{{ 'ab' }}", "{{ 1a }}", "{{ (1 }}", "{{ 1) }}", "{{ | }}", "{{ 1 | 2 }}", "{{ . | . }}", "{{ .x y }}", "{{ \"a\" \"b\" }}", "{{ nil }}", "{{ true.x }}", "{{ $ := 1 }}", "{{ $x, $y := 1 }}", "{{ range $a, $b, $c := . }}{{ end }}",
                         "{{ break }}", "{{ define }}", "{{ template }}", "{{ template x }}", "{{ 0x }}", "{{ 1__0 }}", "{{ 09 }}", "{{ 1e }}", "{{ 99999999999999999999 }}", "{{ @ }}", "{{ é }}", "{{ .é }}", "{{ /* x }}", "{{", "{{ . ", "{{}}", "{{ -1 }}", "{{-1}}", "{{- 1 -}}", "{{1 -}} x", "{{ 1+2i }}", "{{ 1i }}", "{{ ' ' }}", "{{ '\\x41' }}", "{{ `a\nb` }}", "{{ (list 1 2).x }}", "{{ (dict \"a\" 1).a }}", "{{ \"a\".b }}", "{{ .Values.s.b.c }}",
                         "{{ and }}", "{{ not }}", "{{ eq 1 }}", "{{ print . -}}  x", "{{ \"a\\qb\" }}", "{{ (.Values.s) }}", "{{ (.Values).s }}", "{{ ((1)) }}", "{{ . | printf \"%v\" | len }}", "{{ if 1 }}{{ else }}{{ else }}{{ end }}", "{{ with 1 }}{{ else if 2 }}{{ end }}", "{{ $x = 1 }}", "{{ define \"q\" }}", "{{ if true }}", "{{ range . }}{{ end", "{{ .Values.m . }}", "{{ 1 . }}", "{{ index . \"Values\" \"m\" \"a\" }}", "{{ len 3 }}", "{{ .Values.l 1 }}", "{{ call .Values.s }}", "{{ 3 | .Values.s }}", "{{ nil | print }}", "{{ print nil }}", "{{ eq nil nil }}",
                         "{{ range $i, $c := \"aé\" }}{{ $i }}={{ $c }} {{ end }}", "{{ range \"x\" }}{{ . }}{{ end }}", "{{ range 3 }}{{ . }}{{ end }}", "{{ range $i := 3 }}{{ $i }}{{ end }}", "{{ range $i, $j := 3 }}{{ end }}", "{{ range true }}{{ end }}"])

    def declared(self, depth):
        if self.chance(.15):
            return "$w := " + self.expr("a", depth)
        return self.expr("a", depth)

    def alone(self, depth):
        known, self.variables = self.variables, []
        out = self.body(depth)
        self.variables = known
        return out

    def chart(self):
        """Files of a chart, and flags."""
        r = self.r
        pieces = [self.filler() + self.piece(2) for _ in range(r.choice([1, 1, 2, 3]))]
        if self.chance(.0005):
            pieces = [self.action(r.choice(SLOW))]
        helpers = "{{ define \"t0\" }}[{{ . }}]{{ end }}\n{{- define \"t1\" -}}\n"
        helpers += (self.alone(1) if self.chance(.3) else "{{ kindOf . }}") + "{{- end -}}"
        files = {"Chart.yaml": CHART, "values.yaml": VALUES, "templates/_h.tpl": helpers, "f.txt": "one\ntwo\n"}
        flags = {}
        if self.chance(.08):
            files.update(SUB)
            files["charts/sub/templates/s"] = self.alone(1)
            files["f2.txt"] = r.choice(TEXTS)
        if self.chance(.12):
            for name, pool in [("set", SETS), ("set-string", SETS), ("set-json", SETJSON), ("set-literal", SETLITERAL)]:
                if self.chance(.5 if name == "set" else .2):
                    flags[name] = [",".join(r.sample(pool, 2)) if name == "set" and self.chance(.2) else r.choice(pool) for _ in range(r.choice([1, 1, 2, 3]))]
            pieces.append("{{ toJson .Values }}")
        return files, pieces, flags


def case(files, pieces, flags):
    return dict(flags, files=dict(files, **{"templates/t": "".join(pieces)}))
