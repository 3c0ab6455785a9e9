"""What of xAI's is not in OpenAI's format: https://docs.x.ai/docs/api-reference"""
