// Package functions are the functions of the language: Terraform's, by
// Terraform's names and behaviour, and env. New makes the table that an
// expression is evaluated with.
//
// It touches nothing but its arguments. What lies outside is reached through
// two small interfaces: Files, for file, fileset, templatefile and their like,
// and Env, for environment variables and the clock. It writes no log, opens no
// file, and knows neither blocks nor vendors.
package functions
