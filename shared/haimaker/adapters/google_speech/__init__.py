"""Google Cloud Speech-to-Text: https://docs.cloud.google.com/speech-to-text/docs/reference/rest"""
