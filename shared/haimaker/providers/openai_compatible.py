"""Providers that are OpenAI's format at another address: a row each, with the vendor's page above it. Data only.

Whoever needs more than these columns gets a module of its own.
"""

from collections.abc import Mapping
from typing import NamedTuple

from haimaker.providers.common import MAX_COMPLETION_TOKENS, MAX_TOKENS
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, Provider


class Row(NamedTuple):
    """The fields of a `Provider` that these differ in."""

    base_url: str = ""
    key_variables: tuple[str, ...] = ()
    rename: Mapping[str, str] = {}
    single_choice: bool = False
    completes: str = ""
    base_url_variables: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


ROWS: Mapping[str, Row] = {
    # https://docs.abliteration.ai
    "abliteration": Row("https://api.abliteration.ai/v1", rename=MAX_TOKENS),
    # https://uni-docs-production.pages.dev/api/chat-completions
    "aiand": Row("https://api.aiand.com/v1"),
    # https://docs.aihubmix.com/en/api/Aihubmix-Integration
    "aihubmix": Row("https://aihubmix.com/v1"),
    # https://docs.aimlapi.com
    "aiml": Row("https://api.aimlapi.com/v1", ("AIMLAPI_API_KEY",)),
    # https://nova.amazon.com/dev/documentation
    "amazon_nova": Row("https://api.nova.amazon.com/v1", rename=MAX_TOKENS),
    # https://docs.apertis.ai/api/text-generation/chat-completions; it was called Stima.
    "apertis": Row("https://api.apertis.ai/v1", ("STIMA_API_KEY",), rename=MAX_TOKENS),
    # https://github.com/BerriAI/litellm/blob/main/litellm/llms/openai_like/providers.json
    "charity_engine": Row("https://api.charityengine.services/remotejobs/v2/inference", rename=MAX_TOKENS),
    # https://docs.clarifai.com/compute/inference/open-ai; a model is its URL.
    "clarifai": Row("https://api.clarifai.com/v2/ext/openai/v1", ("CLARIFAI_PAT",), rename=MAX_TOKENS),
    # https://api.cometapi.com/doc
    "cometapi": Row("https://api.cometapi.com/v1", ("COMETAPI_KEY",)),
    # https://docs.compactif.ai
    "compactifai": Row("https://api.compactif.ai/v1", rename=MAX_TOKENS),
    # https://docs.cortecs.ai/serverless-inference/api/chat-completions
    "cortecs": Row("https://api.cortecs.ai/v1", rename=MAX_TOKENS),
    # https://docs.crusoecloud.com/managed-inference
    "crusoe": Row("https://api.inference.crusoecloud.com/v1", rename=MAX_TOKENS),
    # https://docs.empiriolabs.ai/compatibility
    "empiriolabs": Row("https://api.empiriolabs.ai/v1", rename=MAX_TOKENS),
    # https://docs.empower.dev/api-reference/chat-completions/completions
    "empower": Row("https://app.empower.dev/api/v1", rename=MAX_TOKENS),
    # https://friendli.ai/docs/openapi/create-chat-completions
    "friendliai": Row("https://api.friendli.ai/serverless/v1", ("FRIENDLI_TOKEN",), rename=MAX_TOKENS, completes="all"),
    # https://docs.galadriel.com
    "galadriel": Row("https://api.galadriel.com/v1", rename=MAX_TOKENS),
    # https://docs.gmicloud.ai/inference-engine/api-reference/llm-api-reference
    "gmi": Row("https://api.gmi-serving.com/v1", ("GMI_CLOUD_API_KEY",), rename=MAX_TOKENS),
    # https://docs.digitalocean.com/products/inference-hub/how-to/use-chat-completions-api/
    "gradient_ai": Row(
        "https://inference.do-ai.run/v1", ("MODEL_ACCESS_KEY", "GRADIENT_MODEL_ACCESS_KEY"), rename=MAX_COMPLETION_TOKENS
    ),
    # https://docs.helicone.ai/rest/ai-gateway/post-v1-chat-completions
    "helicone": Row("https://ai-gateway.helicone.ai"),
    # https://devcenter.heroku.com/articles/openai-compatibility-chat-completions
    "heroku": Row("{INFERENCE_URL}/v1", ("INFERENCE_KEY",), single_choice=True, models=("*",)),
    # https://docs.hyperbolic.xyz/docs/rest-api, …/inference/text-apis: legacy completions are those of the base model.
    "hyperbolic": Row("https://api.hyperbolic.xyz/v1", rename=MAX_TOKENS, completes="some"),
    # https://infermatic.ai/docs/overview
    "infermatic": Row("https://api.totalgpt.ai/v1", rename=MAX_TOKENS, completes="all"),
    # https://docs.kymaapi.com/api-reference/chat-completions
    "kyma": Row("https://kymaapi.com/v1", rename=MAX_TOKENS, single_choice=True),
    # https://docs.lambda.ai
    "lambda_ai": Row("https://api.lambda.ai/v1", ("LAMBDA_API_KEY",), rename=MAX_TOKENS, completes="all"),
    # https://docs.libertai.io
    "libertai": Row("https://api.libertai.io/v1", rename=MAX_TOKENS),
    # https://llamagate.dev/docs
    "llamagate": Row("https://api.llamagate.dev/v1", rename=MAX_TOKENS, single_choice=True),
    # https://llama.developer.meta.com/docs/features/compatibility
    "meta_llama": Row("https://api.llama.com/compat/v1", ("LLAMA_API_KEY",), rename=MAX_COMPLETION_TOKENS, single_choice=True),
    # https://www.modelscope.cn/docs/model-service/API-Inference
    "modelscope": Row("https://api-inference.modelscope.cn/v1", ("MODELSCOPE_SDK_TOKEN",), rename=MAX_TOKENS),
    # https://docs.morphllm.com
    "morph": Row("https://api.morphllm.com/v1", rename=MAX_TOKENS),
    # https://getnadir.com/llms-full.txt
    "nadir": Row("https://api.getnadir.com/v1"),
    # https://docs.nano-gpt.com/api-reference/endpoint/chat-completion
    "nano_gpt": Row("https://nano-gpt.com/api/v1", ("NANOGPT_API_KEY",), rename=MAX_TOKENS),
    # https://docs.tokenfactory.nebius.com/api-reference/inference/create-chat-completion
    "nebius": Row("https://api.tokenfactory.nebius.com/v1", rename=MAX_TOKENS, completes="all"),
    # https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion
    "novita": Row("https://api.novita.ai/openai/v1", rename=MAX_TOKENS, completes="all"),
    # https://docs.nscale.com
    "nscale": Row("https://inference.api.nscale.com/v1", ("NSCALE_SERVICE_TOKEN",), rename=MAX_TOKENS),
    # https://docs.oracle.com/en-us/iaas/Content/generative-ai/openai-compatible-api.htm
    "oci": Row("https://inference.generativeai.{OCI_REGION}.oci.oraclecloud.com/openai/v1", ("OCI_GENAI_API_KEY",)),
    # https://opencode.ai/docs/go
    "opencode_go": Row("https://opencode.ai/zen/go/v1", ("OPENCODE_API_KEY",), rename=MAX_TOKENS),
    # https://www.ovhcloud.com/en/public-cloud/ai-endpoints/catalog/
    "ovhcloud": Row("https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", ("OVH_AI_ENDPOINTS_ACCESS_TOKEN",), rename=MAX_TOKENS),
    # https://docs.parasail.io
    "parasail": Row("https://api.parasail.io/v1", rename=MAX_TOKENS),
    # https://www.pinstripes.io/docs/chat/completions/
    "pinstripes": Row("https://api.pinstripes.io/v1", rename=MAX_TOKENS, single_choice=True),
    # https://docs.reka.ai/research/api-reference
    "reka": Row("https://api.reka.ai/v1", rename=MAX_TOKENS, single_choice=True),
    # https://docs.scx.ai
    "scx_ai": Row("https://api.scx.ai/v1", ("SCX_API_KEY",), rename=MAX_TOKENS),
    # https://docs.siliconflow.com/en/api-reference/chat-completions/chat-completions
    "siliconflow": Row("https://api.siliconflow.com/v1", rename=MAX_TOKENS),
    # https://dev.synthetic.new/docs
    "synthetic": Row("https://api.synthetic.new/openai/v1", rename=MAX_TOKENS, completes="all"),
    # https://www.tencentcloud.com/document
    "tencent": Row("https://tokenhub-intl.tencentcloudmaas.com/v1", rename=MAX_TOKENS),
    # https://docs.tensormesh.ai/api-reference/serverless
    "tensormesh": Row("https://serverless.tensormesh.ai/v1", ("TENSORMESH_INFERENCE_API_KEY",), rename=MAX_TOKENS, completes="all"),
    # https://v0.app/docs/api/model
    "v0": Row("https://api.v0.dev/v1"),
    # https://github.com/ggml-org/llama.cpp/tree/master/tools/server
    "llamafile": Row(rename=MAX_TOKENS, completes="all", base_url_variables=("LLAMAFILE_API_BASE",), models=("*",)),
    # https://lmstudio.ai/docs/developer/openai-compat/chat-completions
    "lm_studio": Row(rename=MAX_TOKENS, completes="all", base_url_variables=("LM_STUDIO_API_BASE",), models=("*",)),
    # https://inference.readthedocs.io/en/latest/getting_started/using_xinference.html
    "xinference": Row(rename=MAX_TOKENS, completes="all", base_url_variables=("XINFERENCE_API_BASE",), models=("*",)),
    # https://lemonade-server.ai/docs/server/server_spec/
    "lemonade": Row(completes="all", models=("*",)),
    "openai_compatible": Row(completes="all", models=("*",)),
}


def definition(name: str) -> Provider:
    """The provider of a row."""
    row = ROWS[name]
    return Provider(
        name,
        endpoint=Endpoint(row.base_url, row.base_url_variables),
        auth=Auth(row.key_variables),
        dialect=Dialect(rename=row.rename),
        limits=Limits(single_choice=row.single_choice),
        catalog=Catalog(models=row.models, completes=row.completes),
    )
