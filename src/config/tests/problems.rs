//! What is said about files that are wrong.

use proptest::prelude::*;

use super::{load_with, report};

#[test]
fn five_mistakes_are_five_problems_each_with_its_place() {
    let report = report(
        "[upstream]\n\
         adress = \"127.0.0.1:3000\"\n\
         connect_timeout = 10s\n\
         \n\
         [compression]\n\
         min_size = 1024\n\
         [[route]]\n\
         name = \"a\"\n\
         match = { path = \"*.js\" }\n\
         [listen]\n\
         max_connections = 0\n",
    );
    let want = "\
vacpack.toml:2:1: upstream: unknown key `adress`
   |
 2 | adress = \"127.0.0.1:3000\"
   | ^^^^^^ did you mean `address`?

vacpack.toml:3:19: a text needs quotes
   |
 3 | connect_timeout = 10s
   |                   ^^^ write \"10s\"

vacpack.toml:6:12: compression.min_size: `1024` is a number without a unit
   |
 6 | min_size = 1024
   |            ^^^^ write \"1KiB\"

vacpack.toml:9:18: route[0].match.path: expected a path pattern, got \"*.js\": it would match no path, since they all start with `/`
   |
 9 | match = { path = \"*.js\" }
   |                  ^^^^^^ write \"**/*.js\"

vacpack.toml:11:19: listen.max_connections: 0 is out of range, 1 to 1000000
    |
 11 | max_connections = 0
    |                   ^ choose from 1 to 1000000

5 problems
";
    assert_eq!(report, want);
}

/// Each line of a file, and what its one problem says.
#[test]
fn one_mistake_at_a_time() {
    let table = [
        ("[compresion]\n", "unknown key `compresion`", "did you mean `compression`?"),
        ("[cache]\nlisten_address = 1\n", "cache: unknown key `listen_address`", "known here: enabled, max_object"),
        ("[cache]\nmin_size = \"1KiB\"\n", "unknown key `min_size`", "it belongs to [compression]"),
        ("[l2]\nenabled = true\n", "l2: not supported in this version", "remove it"),
        ("[slo]\n", "slo: not supported", ""),
        ("[compression]\nimprove = { after_hits = 0 }\n", "0 is out of range, 1 to 1000000", ""),
        ("[compression]\nimprove = { gzip = 9 }\n", "unknown key `gzip`", ""),
        ("[compression]\nimprove = 3\n", "expected false or a table", ""),
        (
            "[[route]]\nname = \"a\"\nmatch.path = \"/\"\ncompression.improve = false\n",
            "route[0].compression.improve: not supported",
            "",
        ),
        ("[compression]\nbreach = \"padding\"\n", "expected one of \"off\", \"pad\", \"no-compression\"", ""),
        ("[admin]\ndashboard = true\n", "not supported", ""),
        (
            "[[route]]\nname = \"a\"\nmatch.path = \"/\"\npriority = \"highest\"\n",
            "expected one of \"critical\", \"high\", \"normal\", \"low\", got \"highest\"",
            "",
        ),
        ("[[route]]\nname = \"a\"\nmatch.path = \"/\"\ncompression.improve = true\n", "not supported", ""),
        ("config_version = 2\n", "2 is out of range", "choose from 1 to 1"),
        ("[compression]\nenabled = \"yes\"\n", "expected true or false, got \"yes\"", "write true, without quotes"),
        ("[compression]\nenabled = yes\n", "expected true or false, got \"yes\"", "write true, without quotes"),
        ("[compression]\nenabled = 1\n", "expected true or false, got the number 1", ""),
        ("[upstream]\nmax_retries = \"1\"\n", "expected a whole number, got \"1\"", "write 1, without quotes"),
        ("[upstream]\nmax_retries = -1\n", "-1 is out of range, 0 to 3", ""),
        ("[upstream]\nmax_retries = 99999999999999999999999\n", "is out of range", ""),
        ("[upstream]\naddress = 127.0.0.1:3000\n", "a text needs quotes", "write \"127.0.0.1:3000\""),
        ("[upstream]\naddress = 3000\n", "expected an address, got the number 3000", ""),
        ("[upstream]\naddress = \"localhost\"\n", "host and port are both needed", "write \"localhost:3000\""),
        ("[upstream]\nread_timeout = 30\n", "`30` is a number without a unit", "write \"30s\""),
        ("[upstream]\nread_timeout = \"30\"\n", "`30` is a number without a unit", "write \"30s\""),
        ("[upstream]\nread_timeout = \"30 sec\"\n", "is no quantity", "unknown unit `sec`; use ns"),
        ("[upstream]\nread_timeout = \"0s\"\n", "0s is out of range, 1ms to 1d", ""),
        ("[upstream]\nread_timeout = [\"1s\"]\n", "expected a duration such as \"10s\", got a list", ""),
        ("[memory]\nbudget = \"95%\"\n", "95% is out of range, 1% to 90%", ""),
        ("[memory]\nbudget = 40\n", "a number without a unit", "write \"40%\""),
        ("[memory]\nbudget = \"64Mi\"\n", "is no quantity", "unknown unit `Mi`"),
        ("[compression]\nalgorithms = \"br\"\n", "expected a list", "write [\"br\"]"),
        ("[compression]\nalgorithms = [\"brotli\"]\n", "expected one of \"br\", \"zstd\", \"gzip\"", ""),
        ("[compression]\nalgorithms = [\"gzp\"]\n", "got \"gzp\"", "did you mean \"gzip\"?"),
        ("[compression]\nalgorithms = [\"br\", \"br\"]\n", "\"br\" is used twice", "first used at vacpack.toml:2"),
        ("[compression]\nlive = { br = 12 }\n", "compression.live.br: 12 is out of range, 0 to 11", ""),
        ("[compression]\nlive = { bz = 1 }\n", "unknown key `bz`", ""),
        ("[compression]\ntypes = [\"text\"]\n", "expected a media type", ""),
        ("[cache]\nnegative = { 200 = \"1s\" }\n", "from 300 to 599", ""),
        ("[cache]\nkey = { headers = [\"a b\"] }\n", "expected a field name", ""),
        ("[headers]\nset = { Content-Length = \"1\" }\n", "frames the message", ""),
        ("[headers]\nset = { X-A = \"1\", x-a = \"2\" }\n", "\"x-a\" is used twice", ""),
        ("[headers]\nset = { X-A = \"a\\nb\" }\n", "line breaks", ""),
        ("[listen]\ntrusted_proxies = [\"10.0.0.1\"]\n", "needs its prefix length", "write \"10.0.0.1/32\""),
        ("[listen]\nmax_body = \"none\"\n", "is no quantity", ""),
        ("[listen]\naddress = \"0.0.0.0:9901\"\n", "listen.address: the same port as admin.address", ""),
        ("[upstream]\naddress = \"localhost:8080\"\n", "the app's address is vacpack's own listen.address", ""),
        (
            "[upstream]\naddress = \"https://a\"\nalso = [\"a:3000\"]\n",
            "upstream.also: some addresses of the app are reached with TLS",
            "begin all of them with https://, or none",
        ),
        (
            "[upstream]\naddress = \"https://a\"\nalso = [\"https://b\"]\n",
            "no one name for all of them",
            "write upstream.tls.server_name",
        ),
        ("[upstream.tls]\nserver_name = \"a:443\"\n", "expected a server name, got \"a:443\"", ""),
        ("[upstream]\naddress = \"127.0.0.1:9901\"\n", "the app's address is vacpack's own admin.address", ""),
        ("[log]\nlevel = \"warning\"\n", "expected one of \"error\"", ""),
        ("[log]\naccess.sample = 2\n", "2 is out of range, 0 to 1", ""),
        ("[metrics]\nlatency_buckets = [\"1s\", \"1ms\"]\n", "buckets must ascend", ""),
        ("[metrics]\nlabels = { route = \"x\" }\n", "use that label", ""),
        ("[admin]\ntoken = \"a b\"\n", "expected a secret, got \"...\"", ""),
        ("[admin]\ntoken = \"a\"\ntoken_file = \"/x\"\n", "both `token` and `token_file`", "keep one of them"),
        (
            "[cache.key]\nkeep_query = [\"id\"]\nignore_query = [\"a\"]\n",
            "both `keep_query` and `ignore_query`",
            "keep one of them",
        ),
        (
            "[[route]]\nname = \"a\"\nmatch.path = \"/a\"\ncache.key = { keep_query = [], ignore_query = [\"a\"] }\n",
            "both `keep_query` and `ignore_query`",
            "keep one of them",
        ),
        ("[cache.normalise]\naccept_language = [\"de_AT\"]\n", "its parts are joined by `-`", "write \"de-AT\""),
        ("[cache.normalise]\nfields = { Host = [\"a\"] }\n", "decides what is answered", ""),
        (
            "[cache.normalise]\nfields = { X-A = [\"a ->\"] }\n",
            "not usable in a list of values",
            "an empty value or pattern",
        ),
        ("[cache.key]\nhost = \"http://a\"\n", "a host, not a URL", ""),
        ("[admin]\ntoken_file = \"/nowhere/token\"\n", "cannot take a token from /nowhere/token", ""),
        ("[cache]\ngeneration = \"${NONE}\"\n", "NONE is not set", "set it, or write ${NONE:-default}"),
        ("[cache]\ngeneration = \"${NONE:?needed by the cache}\"\n", "NONE: needed by the cache", "set NONE"),
        ("[[route]]\nmatch.path = \"/\"\n", "route[0]: `name` is missing", "add name = \"static\""),
        ("[[route]]\nname = \"a\"\n", "route[0]: `match` is missing", ""),
        ("[[route]]\nname = \"a\"\nmatch = {}\n", "`match` says nothing", ""),
        ("[[route]]\nname = \"default\"\nmatch.path = \"/\"\n", "that match no route", ""),
        ("[[route]]\nname = \"a\"\nmatch.path = \"/[\"\n", "not a valid pattern", ""),
        ("[[route]]\nname = \"a\"\nmatch.method = \"get\"\n", "case-sensitive", "write \"GET\""),
        ("[route]\nname = \"a\"\n", "expected a list of tables ([[...]]), got a table", ""),
        ("[upstream]\nkeepalive = 1\nkeepalive = 2\n", "duplicate key", "keep one of them"),
        ("[upstream\n", "vacpack.toml:1:", ""),
    ];
    for (text, message, fix) in table {
        let report = report(text);
        assert!(report.contains(message) && report.contains(fix), "{text}\n{report}");
        assert!(report.ends_with("\n1 problem\n"), "{text}\n{report}");
        assert!(report.contains('^'), "{text}\n{report}");
    }
}

#[test]
fn duplicate_route_names_name_the_first() {
    let report = report("[[route]]\nname = \"a\"\nmatch.path = \"/a\"\n[[route]]\nname = \"a\"\nmatch.path = \"/b\"\n");
    assert!(report.starts_with("vacpack.toml:5:8: route[1].name: \"a\" is used twice"), "{report}");
    assert!(report.contains("first used at vacpack.toml:2"), "{report}");
}

#[test]
fn a_file_that_lost_its_structure_is_blamed_once() {
    let report = report("[cache]\nmin = 1\n[compression]\ntypes = [\"a/b\"\nenabled = true\n[listen]\nh2c = 5\n");
    assert!(report.contains("unknown key `min`"), "{report}");
    assert!(report.ends_with("2 problems\n"), "{report}");
}

#[test]
fn a_secret_stays_out_of_the_report() {
    for text in [
        "[admin]\ntoken = 12345\n",
        "[admin]\ntoken = hunter12345\n",
        "[admin]\ntoken = \"with 12345 space\"\n",
        "[admin]\ntoken = \"12345\"\ntoken_file = \"/x\"\n",
    ] {
        let report = report(text);
        assert!(!report.contains("12345"), "{report}");
    }
}

#[test]
fn a_tab_or_a_wide_line_does_not_move_the_caret() {
    let wide = format!("[cache]\n\tgeneration = \"{}\"; x\n", "y".repeat(400));
    let report = report(&wide);
    let lines: Vec<&str> = report.lines().collect();
    assert!(lines[2].chars().count() < 200 && lines[3].contains('^'), "{report}");
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a-z\\[\\]{}=\".,#\\n 0-9$_*/é-]{0,120}") {
        let _ = load_with(&text, &[]).map_err(|error| error.to_string());
    }

    /// Words that mean something, in an order that does not.
    #[test]
    fn no_mixture_of_real_words_panics(words in proptest::collection::vec(proptest::sample::select(vec![
        "[cache]\n", "[[route]]\n", "[compression]\n", "[upstream]\n", "match", "live", "key", "headers", "set", "name",
        "path", "ttl", "negative", "404", " = ", "{", "}", "[", "]", "\"auto\"", "\"1h\"", "\"/**\"", "\"${APP}\"", "\"${",
        "true", "false", "1", ".", ",", "\n", "\"\"", "'", "10s", "\u{fe}", "#",
    ]), 0..40)) {
        let _ = load_with(&words.concat(), &[]).map_err(|error| error.to_string());
    }
}
