// Package registry asks a schema registry that speaks Confluent's protocol, such
// as Confluent's own, Karapace, Redpanda's or Apicurio's under /apis/ccompat/v7.
//
// Schemas never change under their id, so each is asked for once. A registry that
// is away does no harm to what is known already.
package registry
