"""Our methods inside of Hugging Face's Trainer, with a tiny transformer: nothing is downloaded."""

import pytest
import torch
from ecosystem import method

pytest.importorskip("transformers")
pytest.importorskip("accelerate")

import descend

pytestmark = pytest.mark.filterwarnings("ignore")


def transformer():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=13,
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=16,
            use_cache=False,
        )
    )


def texts(count=32):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(13, (count, 6), generator=generator)
    return [{"input_ids": x, "labels": x} for x in tokens]


def trainer(model, folder, steps, made=(None, None), **given):
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        max_grad_norm=0.5,
        learning_rate=1e-2,
        weight_decay=0.1,
        save_steps=4,
        logging_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    return Trainer(model=model, args=arguments, train_dataset=texts(), optimizers=made, **given)


def made(name, model):
    opt = method(name, model)
    return opt, torch.optim.lr_scheduler.LinearLR(opt, 1.0, 0.1, total_iters=8)


def same(model, other):
    return all(
        torch.allclose(p, q, rtol=1e-5, atol=1e-6)
        for p, q in zip(model.parameters(), other.parameters(), strict=True)
    )


@pytest.mark.parametrize("name", ["adamw", "prodigy", "muon", "schedulefreeadamw"])
def test_resuming_from_a_checkpoint(name, tmp_path):
    whole, first = transformer(), transformer()
    start = [p.detach().clone() for p in first.parameters()]
    trainer(whole, tmp_path / "whole", 8, made(name, whole)).train()
    trainer(first, tmp_path / "parts", 4, made(name, first)).train()
    assert not any(map(torch.equal, start, first.parameters()))
    second = transformer()
    fit = trainer(second, tmp_path / "parts", 8, made(name, second))
    fit.train(resume_from_checkpoint=str(tmp_path / "parts" / "checkpoint-4"))
    assert same(whole, second)


def test_by_its_class_as_torchs_own(tmp_path):
    """Trainer makes the groups, the schedule and the clipping; the numbers are those of torch's AdamW."""
    found = []
    for cls in (descend.AdamW, torch.optim.AdamW):
        model = transformer()
        trainer(model, tmp_path / cls.__module__, 6, optimizer_cls_and_kwargs=(cls, {"lr": 1e-2})).train()
        found.append(model)
    assert same(*found)
