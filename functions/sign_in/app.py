"""GET /sign-in, /sign-in/callback, /sign-in/session; POST /sign-in/out: people and their sessions in the console."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=("sign_in", "sign_in_callback", "sign_in_session", "sign_out"))
