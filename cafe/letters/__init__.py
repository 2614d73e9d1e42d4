"""Letters: what guests are told by e-mail, owned by the Mailer."""
