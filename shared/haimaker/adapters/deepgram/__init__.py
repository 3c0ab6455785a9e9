"""Deepgram: https://developers.deepgram.com/reference"""
