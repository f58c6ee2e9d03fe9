"""A right answer to every exercise in another form than the package's own: lists, arrays, wide types, other ways.

The solved run of the lessons goes on with these, so that no later cell depends on the form of a learner's answer.
"""

import ast

IMPORTS = "import math, re, zlib\nimport numpy as np\nimport torch"
# Those of each lesson, in the order of its exercises.
ANSWERS = {
    "00": """
probabilities = lambda counts: dict(zip(counts, np.float32([*counts.values()]) / sum(counts.values())))
""",
    "01": """
def few_shot(examples, question):
    return np.str_("\\n".join([*map(": ".join, examples.items()), question + ":"]))

def render(messages):
    names = {"user": "user", "assistant": "model"}
    for message in messages:
        message["role"] = names[message["role"]]  # in place
    turns = [f"<start_of_turn>{message['role']}\\n{message['content']}<end_of_turn>\\n" for message in messages]
    return "".join(["<bos>", *turns, "<start_of_turn>model\\n"])

def with_temperature(logits, temperature):
    powers = np.exp(np.asarray(logits, dtype=np.float64) / temperature)
    return list(powers / powers.sum())

def nucleus(probabilities, p):
    q = np.asarray(probabilities)
    order = q.argsort()[::-1]
    n = int((q[order].cumsum() < p).sum()) + 1
    kept = np.zeros_like(q)
    kept[order[:n]] = q[order[:n]]
    return kept / kept.sum()

def gained_and_lost(before, after):
    change = np.array(after, dtype=int) - np.array(before, dtype=int)
    return [(change > 0).sum(), (change < 0).sum()]
""",
    "02": """
def count_pairs(words):
    counts = {}
    for parts, times in words.items():
        for i in range(len(parts) - 1):
            counts[parts[i], parts[i + 1]] = counts.get((parts[i], parts[i + 1]), np.int64(0)) + times
    return counts

def merge(parts, pair):
    joined = []
    for part in parts:
        if joined and joined[-1] == (pair[0], False) and part == pair[1]:
            joined[-1] = (pair[0] + part, True)
        else:
            joined.append((part, False))
    return [part for part, _ in joined]

def encode(text, pairs):
    from workshop_utils.text import SPLIT_PATTERN
    ranks = {pair: i for i, pair in enumerate(pairs)}
    ids = {bytes([i]): i for i in range(256)} | {a + b: 256 + i for (a, b), i in ranks.items()}
    found = []
    for word in re.findall(SPLIT_PATTERN, text):
        parts = [bytes([byte]) for byte in word.encode()]
        while places := [(ranks[pair], i) for i, pair in enumerate(zip(parts, parts[1:])) if pair in ranks]:
            i = min(places)[1]
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        found.extend(map(ids.get, parts))
    return np.array(found)

def decode(ids, pairs):
    found = bytearray()
    for i in ids:
        found += bytes([i]) if i < 256 else b"".join(pairs[i - 256])
    return np.str_(str(found, "utf-8", "replace"))

def split_by_hash(text, val_percent, test_percent):
    names = np.array(["val"] * val_percent + ["test"] * test_percent + ["train"] * (100 - val_percent - test_percent))
    return names[zlib.crc32(text.encode()) % 100]

window = lambda tokens, start, block_size: [tokens[i:][:block_size].tolist() for i in (start, start + 1)]
def padded_row(document, width, eot):
    x, y = torch.full((width,), eot), torch.full((width,), -1)
    x[1 : len(document) + 1] = torch.tensor(document)
    y[: len(document)] = torch.tensor(document)
    y[len(document)] = eot
    return torch.stack([x, y])
""",
    "03": """
def embed(idx, token_table, position_table):
    rows = torch.nn.functional.embedding(idx, token_table.double())
    rows += position_table[torch.arange(idx.shape[1])]
    return rows

def attention_weights(q, k):
    scores = torch.einsum("...ic,...jc->...ij", q.double(), k.double()) * q.shape[-1] ** -0.5
    scores = scores + torch.full(scores.shape[-2:], float("-inf"), dtype=torch.float64).triu(1)
    return torch.softmax(scores, -1)

split_heads = lambda x, n_head: torch.stack(x.double().chunk(n_head, dim=-1), dim=1).contiguous()
def attention_forward(x, c_attn, c_proj, n_head, weigh):
    B, T, C = x.shape
    q, k, v = c_attn(x).view(B, T, 3, n_head, C // n_head).permute(2, 0, 3, 1, 4)
    found = torch.einsum("bhij,bhjd->bihd", weigh(q, k), v)
    return c_proj(found.reshape(B, T, C)).double()

def layer_norm(x, weight, bias, eps=1e-5):
    x = x.double()
    middle = x - x.sum(-1, keepdim=True) / x.shape[-1]
    return middle * torch.rsqrt((middle * middle).mean(-1, keepdim=True) + eps) * weight + bias

def residual_block(x, ln_1, attn, ln_2, mlp):
    middle = torch.add(x, attn(ln_1(x)))
    return (middle.double() + mlp(ln_2(middle))).contiguous()

def cross_entropy(logits, targets):
    return torch.stack([row.logsumexp(0) - row[target] for row, target in zip(logits.double(), targets)]).mean()

def count_params(vocab_size, block_size, n_layer, n_embd):
    return np.float64((vocab_size + block_size + 2) * n_embd + n_layer * (12 * n_embd**2 + 13 * n_embd))

def generate(model, idx, max_new_tokens, block_size, choose):
    rows = idx.tolist()
    for _ in range(max_new_tokens):
        logits = model(torch.tensor([row[-block_size:] for row in rows]))
        for row, token in zip(rows, choose(logits[:, -1]).tolist()):
            row.append(token)
    return np.array(rows)

def next_probabilities(logits, temperature=1.0, top_k=None):
    powers = (logits.double() / temperature).exp()
    if top_k is not None:
        order = powers.argsort().flip(0)
        powers[order[top_k:]] = 0
    return (powers / powers.sum()).tolist()
""",
    "04": """
perplexity = lambda losses: torch.tensor(losses, dtype=torch.float64).mean().exp()
learning_rate = lambda step, peak, warmup, total: np.interp(step, [0, warmup, total], [0, peak, 0])
accumulate = lambda losses, tokens: np.average(np.array(losses), weights=tokens)
def clip(gradients, limit):
    length = torch.cat([g.double().flatten() for g in gradients]).norm()
    for g in gradients:
        g *= limit / torch.clamp(length, min=limit)  # in place
    return tuple(g.double() for g in gradients)

def adamw_step(w, g, m, v, t, lr, decay):
    m.lerp_(g, 0.1)  # in place
    v.mul_(0.95).addcmul_(g, g, value=0.05)
    w.mul_(1 - lr * decay)
    w.addcdiv_(m / (1 - 0.9**t), (v / (1 - 0.95**t)).sqrt() + 1e-8, value=-lr)
    return [w, m.numpy(), v.double()]

def evaluate(model, batches):
    model.eval()
    loss = torch.nn.CrossEntropyLoss(ignore_index=-1, reduction="sum")
    with torch.inference_mode():
        parts = [loss(model(x, y)[0].flatten(0, 1).float(), y.flatten()).cpu() for x, y in batches]
    model.train()
    return sum(parts) / sum((y != -1).sum().cpu() for _, y in batches)

def best_step(history):
    losses = torch.tensor([entry.get("val_loss", float("inf")) for entry in history])
    return torch.tensor([entry["step"] for entry in history])[losses.argmin()]
""",
    "05": """
def what_fits(rows, fixed, per_row, limit):
    batch = rows
    while rows % batch or fixed + batch * per_row > limit:
        batch -= 1
    return [batch, rows / batch]

def steepest(rates, losses):
    return np.float64(rates[torch.tensor(losses, dtype=torch.float64).diff().argmin()])

def seen_before(train, test):
    train, test = ([re.sub("[^a-z0-9]+", " ", text.lower()).strip() for text in texts] for texts in (train, test))
    return np.flatnonzero([text in train for text in test])

def unscale(gradient, scale):
    gradient /= scale  # in place
    if torch.isfinite(gradient.sum()):
        return [gradient.double(), torch.tensor(scale)]
    return [None, torch.tensor(scale / 2)]

def diagnose(run):
    half = len(run["lr"]) / 2
    jumps = np.max(run["grad_norm"][len(run["grad_norm"]) // 2 :]) > 10 * run["grad_norm"][0]
    signs = [
        np.argmax(run["lr"]) > half,
        jumps or run["unigram_loss"] - run["loss"][-1] < 0.8,
        2 * run["val_loss"][-1] < run["fresh_loss"][-1],
        run["val_loss"][-1] - np.min(run["val_loss"]) > 0.2,
        True,
    ]
    return np.array(["schedule", "rate", "leak", "overfitting", "healthy"])[np.argmax(signs)]

def same_start(asked, trained):
    n = min(len(asked), len(trained))
    equal = np.array(asked[:n]) == np.array(trained[:n])
    return np.append(equal, False).argmin()

def save_every(save_seconds, hours_between_failures, step_seconds):
    return np.maximum(1.0, np.round((7200 * save_seconds * hours_between_failures) ** 0.5 / step_seconds))
""",
    "06": """
def split_of(text, val_percent):
    return np.array(["train", "val"])[int(zlib.crc32(text.encode()) % 100 < val_percent)]

def pack(documents, block_size, end):
    joined = torch.tensor([token for document in documents for token in [*document, end]])
    n = (len(joined) - 1) // block_size * block_size
    return torch.stack([joined[:n].view(-1, block_size), joined[1 : n + 1].view(-1, block_size)], dim=1)

def shuffle_buffer(items, n, rng):
    buffer = []
    for item in items:
        buffer.append(item)
        if len(buffer) >= n:
            yield buffer.pop(rng.randrange(len(buffer)))
    while buffer:
        yield buffer.pop(rng.randrange(len(buffer)))

def steps_for(tokens, tokens_per_update, batch_size, block_size, gpus):
    return [np.int64(tokens_per_update) / (batch_size * block_size * gpus), np.ceil(tokens / tokens_per_update)]

def averaged(gradients, all_reduce, world_size):
    joined = torch.cat([one.flatten() for one in gradients]) / world_size
    all_reduce(joined)
    pieces = joined.split([one.numel() for one in gradients])
    return tuple(piece.view_as(one) for piece, one in zip(pieces, gradients))

def bill(parameters, tokens, gpus, peak_flops, mfu, price):
    per_device = 6 * parameters * tokens / gpus / (peak_flops * mfu * 3600)
    return np.array([per_device, gpus * per_device * price])
""",
    "07": """
def labels_of(prompt, reply, width):
    labels = np.full(width, -100)
    labels[len(prompt) : len(prompt) + len(reply)] = reply
    return labels

lora_forward = lambda x, W, A, B, alpha: x.double() @ (W + alpha / A.shape[0] * B @ A).double().T
lora_parameters = lambda shapes, rank: rank * np.array(shapes).sum()
half_the_memory = lambda batch_size, grad_accum_steps: [batch_size / 2, grad_accum_steps * 2.0]
def overfitting(runs):
    names = np.array(list(runs))
    falls = [learnt[-1] < learnt[0] for learnt, _ in runs.values()]
    turns = [held_out[-1] - np.min(held_out) for _, held_out in runs.values()]
    return names[np.argmax(np.multiply(falls, turns))]

def rows_to_keep(rows):
    plain = [tuple(" ".join(text.split()).casefold() for text in row[:2]) for row in rows]
    kept = np.zeros(len(rows), bool)
    for i, (prompt, answer) in enumerate(plain):
        before = [plain[j] for j in np.flatnonzero(kept)]
        kept[i] = rows[i][2] and all(prompt != p and answer != a for p, a in before)
    return np.flatnonzero(kept)
""",
    "08": """
def same_result(expected, found, ordered):
    left = list(found)
    for row in expected:
        place = 0 if ordered else next((i for i, one in enumerate(left) if one == row), None)
        if place is None or not left or left[place] != row:
            return np.bool_(False)
        del left[place]
    return np.bool_(not left)

def is_allowed(action, name):
    verdict = {20: 1, 21: 1, 31: name.upper() in "AVG COUNT MAX MIN SUM".split()}
    return np.bool_(verdict.get(action, False))

questions_needed = lambda share, points: np.ceil((share - share**2) * 38416 / np.float64(points) ** 2)
def kind_of_error(gold, said, right, error):
    def shape(query):
        return re.sub("(?<![a-z])[0-9]+", "1", "x".join(query.casefold().split("'")[::2]))
    if not right and not error:
        return np.str_("another value" if shape(gold) == shape(said) else "another query")
    return "right" if right else "unknown name" if "no such" in error else "does not run"

def split_by_database(rows, percent):
    side = {name: zlib.crc32(name.encode("utf-8")) % 100 >= percent for name, _ in rows}
    return [[row for row in rows if side[row[0]]], [row for row in rows if not side[row[0]]]]

def leaked(train, test):
    plain = lambda schema: re.sub(r"\\s+", " ", schema.casefold()).strip()
    seen = [plain(row[0]) for row in train]
    return np.flatnonzero([plain(row[0]) in seen for row in test])
""",
    "09": """
def stem_score(text, stems):
    words = re.sub("[^a-z]+", " ", text.lower()).split()
    begun = np.array([[word.startswith(stem) for word in words] for stem in stems])
    return np.clip(np.float32(10 * begun.any(axis=1).sum() / max(1, len(words))), 0, 1)

share_of_wins = lambda a, b, draws: np.mean((np.array(b) - np.array(a))[np.array(draws)].sum(axis=1) > 0)
perplexity = lambda log_probabilities: torch.tensor(log_probabilities).neg().mean().exp()
def quantise_rows(W):
    scales = np.abs(W.numpy()).max(axis=1) / np.float32(127)
    return [(W.numpy() / scales[:, None]).round().astype(np.int8), list(scales)]

def choose_block(errors, limit):
    sizes = np.array(sorted(errors))
    block = sizes[[errors[int(size)] <= limit for size in sizes]][-1]
    return np.array([block, (4 * block + 16) / block])

def ship(rows, megabytes):
    low = max((row["score"], row["low"]) for row in rows)[1]
    by_speed = sorted(rows, key=lambda row: -row["tokens_per_second"])
    return np.str_(next(r["name"] for r in by_speed if r["megabytes"] <= megabytes and r["high"] >= low))
""",
    "10": """
def merge(W, A, B, alpha):
    low = [torch.outer(B[:, i], A[i]) for i in range(len(A))]
    return (W.double() + torch.stack(low).double().mean(0) * alpha).numpy()

def wrong_files(right, files):
    differs = np.array([sum(f.get(t) != i for t, i in right.items()) for f in files.values()], int)
    return np.array(list(files), dtype=object)[differs > 0]

def reply_of(written, ends):
    hits = np.flatnonzero(np.isin(written, list(ends)))
    return [np.array(written, int)[: hits[0] if len(hits) else None], np.bool_(len(hits))]

def not_as_sent(listed, files):
    import hashlib
    sent = set(listed.items())
    found = {(name, hashlib.sha256(content).digest().hex()) for name, content in files.items()}
    return tuple(np.str_(name) for name in sorted({name for name, _ in sent ^ found}))

def finest_that_fits(parameters, cache, memory, kinds):
    room = np.float64(memory - cache) * 8 / parameters
    left = sorted((bits, name) for name, bits in kinds.items() if bits <= room)
    return np.str_(left[-1][1] if left else "")

def tokens_per_second(parameters, bits, cache, bandwidth):
    return np.float64(8 * bandwidth) / (bits * parameters + 8 * cache)
""",
    "11": """
def hide(ids, chosen, fate, other, mask):
    read, labels = ids.clone(), ids.clone()
    read[chosen & (fate < 0.8)] = mask
    swapped = chosen & (fate >= 0.8) & (fate < 0.9)
    read[swapped] = other[swapped]
    labels[~chosen] = -100
    return [read.numpy(), labels.numpy()]

def soft_loss(student, teacher, temperature):
    p, q = ((x.double() / temperature).softmax(-1) for x in (teacher, student))
    return temperature**2 * (p * (p.log() - q.log())).sum(-1).mean()

def new_name(name):
    parts = name.split(".")
    at = [i for i, part in enumerate(parts) if part.isdigit() and parts[i - 1] in ("layer", "layers")]
    if not at:
        return name
    half, odd = divmod(int(parts[at[0]]), 2)
    return "" if odd else ".".join([*parts[: at[0]], str(half), *parts[at[0] + 1 :]])

def span_f1(found, wanted):
    right = np.float32(len([span for span in found if span in wanted]))
    precision, recall = right / max(1, len(found)), right / max(1, len(wanted))
    return np.float32(2 * precision * recall / (precision + recall) if right else 0)

pool = lambda hidden, mask: torch.stack([states[real.bool()].mean(0) for states, real in zip(hidden, mask)])
def contrastive(one, other, temperature=0.05):
    scores = one @ other.T / temperature
    return (scores.logsumexp(1) - scores.diagonal()).mean()
""",
}
OTHER: dict[str, str] = {
    f"{lesson}.{number}": str(ast.get_source_segment(text, answer))
    for lesson, text in ANSWERS.items()
    for number, answer in enumerate(ast.parse(text).body, 1)
}
