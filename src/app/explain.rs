//! Questions of the admin listener, answered by the proxy's own parts.

use std::sync::Arc;
use std::time::SystemTime;

use crate::admin::Explain;
use crate::explain::{Explanation, Question, QuestionProblem};
use crate::proxy::Parts;

/// Explains what the running proxy would do.
pub struct Explainer(pub Arc<Parts>);

impl Explain for Explainer {
    fn explain(&self, question: &Question) -> Result<Explanation, QuestionProblem> {
        self.0.scene(&self.0.rules.load()).explain(question, None, SystemTime::now())
    }
}
