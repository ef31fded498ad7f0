//! A directory of files: what counts, who wins, and where a mistake is said to be.

use super::*;

fn load_all(directory: &Directory) -> Result<Loaded, LoadError> {
    let environment = |_: &str| None;
    let file = Some(directory.0.as_path());
    load(&Inputs { file, flags: &[], environment: &environment, root: Path::new("/"), purpose: Purpose::Serve })
}

const ROUTE: &str = "[[route]]\nname = \"NAME\"\nmatch.path = \"/NAME/**\"\n";

#[test]
fn files_are_laid_over_each_other_in_the_order_of_their_names() {
    let directory = Directory::new()
        .with("20-site.toml", &format!("cache.coalesce = \"2s\"\n{}", ROUTE.replace("NAME", "second")))
        .with(
            "10-base.toml",
            &format!("cache = {{ coalesce = \"1s\", generation = \"a\" }}\n{}", ROUTE.replace("NAME", "first")),
        )
        .with(".10-base.toml.swp", "nonsense")
        .with(".hidden.toml", "nonsense = 1")
        .with("..2026/30.toml", "nonsense = 1")
        .with("notes.md", "nonsense");
    let loaded = load_all(&directory).unwrap();
    let config = &loaded.config;
    assert_eq!((config.cache.coalesce.as_secs(), config.cache.generation.as_str()), (2, "a"));
    assert_eq!(config.routes.names(), ["first", "second", "default"]);
    let shown = loaded.effective.to_string();
    assert!(shown.contains("20-site.toml:1") && shown.contains("10-base.toml:1"), "{shown}");
}

#[test]
fn a_mistake_is_said_to_be_where_it_is_and_all_are_told() {
    let one = ROUTE.replace("NAME", "one");
    let directory = Directory::new()
        .with("b.toml", &format!("\n{one}"))
        .with("a.toml", &format!("cache.coalesce = 5\n{one}"))
        .with("c.toml", "cache.nonsense = 1");
    let Err(LoadError::Invalid(problems)) = load_all(&directory) else { panic!("it is wrong") };
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for (problem, parts) in told.iter().zip([["a.toml:1", "coalesce"], ["b.toml:", "one"], ["c.toml:1", "nonsense"]]) {
        assert!(parts.iter().all(|part| problem.contains(part)), "{problem}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn a_directory_without_files_is_refused_and_so_is_one_with_too_many() {
    let none = load_all(&Directory::new().with("a.yaml", "")).expect_err("nothing in it").to_string();
    assert!(none.contains("no *.toml"), "{none}");
    let many = (0..65).fold(Directory::new(), |all, number| all.with(&format!("{number}.toml"), ""));
    let many = load_all(&many).expect_err("too many").to_string();
    assert!(many.contains("more than 64"), "{many}");
}

#[test]
fn another_name_or_another_text_is_another_state() {
    let directory = Directory::new().with("a.toml", "x").with("b.toml", "y");
    let state = || crate::config::fingerprint(&directory.0);
    let first = state();
    assert!(first.is_some() && first == state());
    fs::write(directory.0.join("b.toml"), "z").unwrap();
    let second = state();
    assert_ne!(first, second);
    fs::rename(directory.0.join("b.toml"), directory.0.join("c.toml")).unwrap();
    assert_ne!(second, state());
    assert_eq!(crate::config::fingerprint(Path::new("/nowhere/at/all")), None);
}
