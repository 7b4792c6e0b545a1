"""checkov's rules over all that is deployed: Terraform's plan, the manifests, the server's image.

A finding fails. It is accepted only where a comment beside its source says why:
`#checkov:skip=CKV_GCP_62:the reason`. Nothing is downloaded: the rules come with the locked package.
"""
