"""What tests share: a provider that follows a script, and the answers real ones give."""
