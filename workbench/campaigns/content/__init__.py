"""What a campaign says to one user: texts with variables, rendered for everyone before anybody is sent to."""
