"""ElevenLabs: https://elevenlabs.io/docs/api-reference"""
