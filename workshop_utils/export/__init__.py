"""Models for other programs: GGUF for llama.cpp and Ollama, folders for transformers and vLLM, with card and hash."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
