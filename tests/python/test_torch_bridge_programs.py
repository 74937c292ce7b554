"""Programs that nobody here wrote, with packed layers: small models of their own code, trained, saved and loaded again.

A package that is missing is skipped by name: `make test-torch` installs all.
"""

import math
import warnings

import pytest
import rbe

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

from rbe.torch import HybridOptimizer, PackedLayer, pack_  # noqa: E402

F = torch.nn.functional
VOCABULARY, CONTEXT = 40, 16


def needs(name):
    """Return a package, or skip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"needs {name}, which `make test-torch` installs")


@pytest.fixture(autouse=True)
def _settings():
    torch.manual_seed(0)
    rbe.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # the models are small, and both libraries' threads would wait for each other
    rbe.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def packed_layers(model):
    return [m for m in model.modules() if isinstance(m, PackedLayer)]


def texts(count=32):
    """Sequences in which each number follows from the one before."""
    first = torch.randint(0, VOCABULARY, (count, 1), generator=torch.Generator().manual_seed(3))
    return (first + 3 * torch.arange(CONTEXT)) % VOCABULARY


def config_of(transformers, name):
    sizes = {"vocab_size": VOCABULARY, "max_position_embeddings": 32}
    if name == "llama":
        return transformers.LlamaConfig(
            hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, **sizes
        )
    if name == "gpt2":
        return transformers.GPT2Config(
            vocab_size=VOCABULARY, n_positions=32, n_embd=64, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0
        )
    return transformers.BertConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, **sizes)


def model_of(transformers, name):
    kinds = {"llama": "LlamaForCausalLM", "gpt2": "GPT2LMHeadModel", "bert": "BertForMaskedLM"}
    return getattr(transformers, kinds[name])(config_of(transformers, name))


@pytest.mark.parametrize(("name", "layers"), [("llama", 16), ("gpt2", 11), ("bert", 17)])
def test_transformers_train_with_their_trainer_and_load_again(name, layers, tmp_path):
    transformers = needs("transformers")
    needs("accelerate")
    safetensors = needs("safetensors.torch")
    model = pack_(model_of(transformers, name))
    assert len(packed_layers(model)) >= layers
    data = [{"input_ids": t, "labels": t} for t in texts()]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), per_device_train_batch_size=8, num_train_epochs=12, logging_steps=4, report_to=[],
        save_strategy="no", use_cpu=True, disable_tqdm=True, dataloader_pin_memory=False, lr_scheduler_type="cosine",
        gradient_accumulation_steps=1, max_grad_norm=1.0,
    )  # fmt: skip
    optimizer = HybridOptimizer(model)
    before = [m.blocks.clone() for m in packed_layers(model)]
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=data, optimizers=(optimizer, None))
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < 0.75 * losses[0], losses
    assert not any(torch.equal(m.blocks, old) for m, old in zip(packed_layers(model), before, strict=True))
    model.eval()
    again = pack_(model_of(transformers, name)).eval()
    x = texts(4)
    safetensors.save_model(model, str(tmp_path / "model.safetensors"))
    safetensors.load_model(again, str(tmp_path / "model.safetensors"))
    with torch.no_grad():
        assert torch.equal(again(input_ids=x).logits, model(input_ids=x).logits)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_transformers_generate_with_a_cache_what_they_generate_without(name):
    transformers = needs("transformers")
    model = pack_(model_of(transformers, name))
    optimizer, x = HybridOptimizer(model), texts()
    for _ in range(60):
        optimizer.zero_grad()
        model(input_ids=x, labels=x).loss.backward()
        optimizer.step()
    model.eval()
    start = x[:2, :5]
    options = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0, "eos_token_id": VOCABULARY + 1}
    found = model.generate(start, attention_mask=torch.ones_like(start), use_cache=True, **options)
    assert torch.equal(found, model.generate(start, attention_mask=torch.ones_like(start), use_cache=False, **options))
    assert (found[:, 5:] == x[:2, 5:11]).float().mean() > 0.7  # it has learnt the rule


@pytest.mark.parametrize("source", ["timm", "torchvision"])
def test_images_are_learnt_by_vision_transformers_and_residual_networks(source, tmp_path):
    library = needs(source)
    if source == "timm":
        models = [
            library.create_model(
                "vit_tiny_patch16_224", img_size=32, patch_size=8, embed_dim=64, depth=2, num_heads=4, num_classes=4
            ),
            library.create_model("resnet10t", num_classes=4),
        ]
    else:
        models = [
            library.models.VisionTransformer(32, 8, 2, 4, 64, 128, num_classes=4),
            library.models.resnet18(num_classes=4),
        ]
    y = torch.arange(16) % 4
    x = torch.randn(16, 3, 32, 32) + torch.randn(4, 3, 1, 1)[y]
    for model in models:
        pack_(model)
        assert len(packed_layers(model)) >= 8
        optimizer, losses = HybridOptimizer(model), []
        for _ in range(15):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.5 * losses[0], losses
        torch.save(model.state_dict(), tmp_path / "model.pt")
        before = model.eval()(x)
        with torch.no_grad():
            for value in model.state_dict().values():
                value.zero_()
        model.load_state_dict(torch.load(tmp_path / "model.pt"))
        assert torch.equal(model(x), before)


def test_accelerate_runs_its_loop_and_saves_a_state(tmp_path):
    accelerate = needs("accelerate")
    model = pack_(torch.nn.Sequential(torch.nn.Embedding(VOCABULARY, 64), torch.nn.Linear(64, VOCABULARY)))
    optimizer = HybridOptimizer(model)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 80)
    x = texts()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x[:, :-1], x[:, 1:]), batch_size=8)
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)

    def epoch():
        losses = []
        for a, b in loader:
            with accelerator.accumulate(model):
                loss = F.cross_entropy(model(a).flatten(0, 1), b.flatten())
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                losses.append(loss.item())
        return losses

    first = epoch()
    for _ in range(10):
        last = epoch()
    assert sum(last) < 0.5 * sum(first)
    accelerator.save_state(str(tmp_path), safe_serialization=False)
    want = epoch()
    accelerator.load_state(str(tmp_path))
    assert epoch() == want


class Causal(torch.nn.Module):
    """The attention of nanoGPT: one projection for queries, keys and values."""

    def __init__(self, width, heads):
        super().__init__()
        self.c_attn, self.c_proj, self.heads = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width), heads

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = (y.view(n, t, self.heads, c // self.heads).transpose(1, 2) for y in self.c_attn(x).split(c, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).contiguous().view(n, t, c))


class Nano(torch.nn.Module):
    """A GPT of nanoGPT's layout, with its table shared by the last layer and its groups of parameters for the optimiser."""

    def __init__(self, width=64, layers=2, heads=4):
        super().__init__()
        nn = torch.nn
        block = lambda: nn.ModuleDict(  # noqa: E731
            {"ln_1": nn.LayerNorm(width), "attn": Causal(width, heads), "ln_2": nn.LayerNorm(width),
             "mlp": nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))}
        )  # fmt: skip
        self.wte, self.wpe = nn.Embedding(VOCABULARY, width), nn.Embedding(CONTEXT, width)
        self.h, self.ln_f = nn.ModuleList(block() for _ in range(layers)), nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, VOCABULARY, bias=False)
        self.wte.weight = self.lm_head.weight

    def forward(self, index, targets):
        x = self.wte(index) + self.wpe(torch.arange(index.shape[1]))
        for block in self.h:
            x = x + block["attn"](block["ln_1"](x))
            x = x + block["mlp"](block["ln_2"](x))
        return F.cross_entropy(self.lm_head(self.ln_f(x)).flatten(0, 1), targets.flatten())


def test_the_training_loop_of_nanogpt(tmp_path):
    # Its loop: groups with and without decay, a rate set by hand at each step, micro-steps, clipping, a checkpoint.
    model = pack_(Nano())
    assert model.wte.packed is model.lm_head.packed
    peak, warm, steps, micro = 2e-3, 10, 80, 2

    def optimizer_of(model):
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        decay = [p for p in named.values() if p.dim() >= 2]
        rest = [p for p in named.values() if p.dim() < 2]
        groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
        return HybridOptimizer([g for g in groups if g["params"]], lr=peak, betas=(0.9, 0.95))

    def rate(step):
        if step < warm:
            return peak * (step + 1) / (warm + 1)
        return 0.1 * peak + 0.45 * peak * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))

    def run(model, optimizer, first, last):
        losses = []
        for step in range(first, last):
            for group in optimizer.param_groups:
                group["lr"] = rate(step)
            for part in range(micro):
                x = texts(16)[8 * part : 8 * part + 8]
                loss = model(x[:, :-1], x[:, 1:]) / micro
                loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(micro * loss.item())
        return losses

    optimizer = optimizer_of(model)
    losses = run(model, optimizer, 0, 60)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "ckpt.pt")
    after = run(model, optimizer, 60, steps)
    assert after[-1] < 0.5 * losses[0], (losses, after)
    saved = torch.load(tmp_path / "ckpt.pt")
    again = pack_(Nano())
    again.load_state_dict(saved["model"])
    other = optimizer_of(again)
    other.load_state_dict(saved["optimizer"])
    assert run(again, other, 60, steps) == after
