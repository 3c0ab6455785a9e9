"""Works on batches; called with messages of their queue."""

from haimaker.aws_lambda.batch_worker import BatchWorker
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = BatchWorker(gateway)
