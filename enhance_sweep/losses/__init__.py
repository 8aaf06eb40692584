"""Loss terms, each an unweighted scalar, and the objective that weighs them."""
