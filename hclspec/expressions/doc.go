// Package expressions is what stands between a text and HCL's evaluator: how
// deep and long a text may be, and the arithmetic of its operators. It is pure
// and knows neither functions nor blocks.
package expressions
