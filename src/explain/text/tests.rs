use super::super::report::*;

fn field(name: &str, value: &str) -> Field {
    Field { name: name.into(), value: (!value.is_empty()).then(|| value.into()) }
}

fn lifetime(age: u64, fresh_for: i64) -> Lifetime {
    Lifetime {
        seconds: 3600,
        age,
        fresh_for,
        source: "s_maxage".into(),
        from: "cache-control: s-maxage=3600".into(),
        stale_while_revalidate: 30,
        stale_if_error: 0,
        no_cache: false,
        must_revalidate: true,
    }
}

fn reason(reason: &str, meaning: &str) -> Reason {
    Reason { reason: reason.into(), meaning: meaning.into() }
}

fn hit() -> Explanation {
    let representation = |coding: &str, bytes, level, improved, hits| RepresentationKept {
        coding: coding.into(),
        bytes,
        level,
        improved,
        hits,
        etag: format!("\"a-{coding}\""),
    };
    let variant = VariantKept {
        status: 200,
        lifetime: lifetime(60, 3540),
        etag: "\"a\"".into(),
        last_modified: None,
        selected_by: vec![field("accept-language", "de")],
        tags: vec!["shop".into(), "p7".into()],
        hits: 1,
        identity_bytes: Some(1_234_567),
        codable: true,
        representations: vec![
            representation("br", 123_456, Some(11), true, 1),
            representation("identity", 1_234_567, None, false, 0),
        ],
    };
    let other = OtherVariant {
        selected_by: vec![field("accept-language", "")],
        age: 9,
        fresh_for: -1,
        hits: 2,
        codings: vec!["br".into(), "gzip".into()],
    };
    Explanation {
        request: RequestAsked {
            method: "GET".into(),
            url: "http://h/p?b=1&utm=2".into(),
            fields: vec![field("accept", "x")],
        },
        route: RouteTaken { name: "pages".into(), because: "path /p, host *.h".into() },
        normalised: vec![field("accept-language", "de")],
        key: Key {
            hash: "ab".into(),
            scheme: "http".into(),
            host: "h".into(),
            path: "/p".into(),
            query: Some("b=1".into()),
            sent_query: Some("b=1&utm=2".into()),
            generation: "7".into(),
            fields: vec![field("x-tenant", "t")],
            cookies: vec!["currency".into()],
        },
        next: Next {
            outcome: Outcome::Hit,
            because: "what is stored is fresh".into(),
            status: Some(304),
            body: Some(Body { coding: "br".into(), made: "stored".into(), level: Some(11), skipped: None }),
        },
        stored: Some(Entry {
            bytes: 1_400_000,
            variants: 2,
            max_variants: 16,
            variant: Some(variant),
            others: vec![other],
        }),
        last_refusal: None,
        needs: Vec::new(),
        answer: None,
        warnings: vec!["careful".into()],
    }
}

#[test]
fn a_hit_reads_from_the_answer_to_its_origin() {
    let wanted = "\
GET http://h/p?b=1&utm=2
           accept: x
  route    pages: path /p, host *.h
  asked    the app with accept-language: de
  key      ab = http://h/p?b=1 (sent: ?b=1&utm=2), generation 7, x-tenant: t, cookies currency
  next     hit (304): what is stored is fresh; br, as it is stored
  stored   2 of at most 16 variants, 1,400,000 B in all
  variant  200, 1 hit, etag \"a\"
           age 1m, fresh for 59m more; lifetime 1h from cache-control: s-maxage=3600 (s_maxage), stale-while-revalidate 30s, must-revalidate
           selected by accept-language: de
           tags shop, p7
           br        123,456 B (10 %), level 11, improved, 1 hit
           identity 1,234,567 B, 0 hits
  other    accept-language: (absent): stale, 2 hits, br gzip
  warning  careful
";
    assert_eq!(hit().to_string(), wanted);
}

#[test]
fn a_refusal_says_why_and_what_it_takes() {
    let explanation = Explanation {
        next: Next { outcome: Outcome::Bypass, because: "remembered".into(), status: None, body: None },
        stored: None,
        last_refusal: Some(reason("no_store", "the app says so")),
        needs: vec!["a".into(), "b".into()],
        warnings: Vec::new(),
        ..hit()
    };
    let text = explanation.to_string();
    for line in [
        "  next     bypass: remembered\n",
        "  last     the last answer was not stored: no_store - the app says so\n",
        "  needs    to be stored: a; b\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn an_answer_is_judged_in_its_order() {
    let body = Body {
        coding: "identity".into(),
        made: "app".into(),
        level: None,
        skipped: Some(reason("too_small", "it is short")),
    };
    let then = Next { outcome: Outcome::Updating, because: "stale".into(), status: None, body: Some(body.clone()) };
    let answer = Answer {
        status: 200,
        stored: true,
        not_stored: None,
        lifetime: Some(lifetime(9, -5)),
        selected_by: Vec::new(),
        tags: Vec::new(),
        body,
        then,
    };
    let text = Explanation { stored: None, answer: Some(answer), ..hit() }.to_string();
    for line in [
        "  answer   200, stored\n",
        "           age 9s, stale for 5s; lifetime 1h from",
        "           sent identity, as the app sends it; not compressed: too_small - it is short\n",
        "  then     updating: stale; identity",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn the_document_survives_the_wire() {
    let document = serde_json::to_string(&hit()).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&document).unwrap(), hit());
    assert!(document.contains("\"outcome\":\"hit\"") && !document.contains("last_refusal"), "{document}");
}
