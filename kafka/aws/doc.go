// Package aws finds the credentials of a workload on AWS and logs in to Amazon
// MSK by its IAM (SASL mechanism AWS_MSK_IAM), without the SDK of AWS.
//
// There is a chain of sources, as in the SDKs, and the first that is set up counts:
// keys that are given; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, with
// AWS_SESSION_TOKEN; a role for the token in AWS_WEB_IDENTITY_TOKEN_FILE (EKS,
// IRSA); and the endpoint of AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI
// (EKS Pod Identity, ECS). Files of profiles, single sign-on and the metadata of an
// EC2 instance are no such sources.
package aws
