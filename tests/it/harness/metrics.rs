//! `/metrics`, read: samples by family and by the values of their labels.

/// One scrape.
pub struct Metrics(Vec<Sample>);

struct Sample {
    family: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Metrics {
    /// Reads the text format, and is strict about it.
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(samples.map(Sample::parse).collect())
    }

    /// The sum of a family over the series whose labels have all of these values.
    pub fn sum(&self, family: &str, values: &[&str]) -> f64 {
        let of_family = self.0.iter().filter(|sample| sample.family == family);
        of_family.filter(|sample| sample.has(values)).map(|sample| sample.value).sum()
    }

    pub fn families(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.0.iter().map(|sample| sample.family.as_str()).collect();
        names.dedup();
        names
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.0.len()
    }

    /// Bytes that went into encoders: it grows whenever a codec ran.
    pub fn encoded_bytes(&self) -> f64 {
        self.sum("vacpack_compression_input_bytes_total", &[])
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line:?}"));
        let (family, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("not a sample: {line:?}"));
        let value = value.parse().unwrap_or_else(|_| panic!("not a value: {line:?}"));
        Self { family: family.to_owned(), labels: labels_of(labels), value }
    }

    fn has(&self, values: &[&str]) -> bool {
        values.iter().all(|wanted| self.labels.iter().any(|(_, value)| value == wanted))
    }
}

fn labels_of(mut rest: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    while let Some((name, behind)) = rest.split_once("=\"") {
        let (value, behind) = behind.split_once('"').expect("a closing quote");
        labels.push((name.trim_start_matches(',').to_owned(), value.to_owned()));
        rest = behind;
    }
    labels
}
