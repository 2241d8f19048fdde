#!/usr/bin/env python3
"""Writes cases.json: what the programs that people publish numbers with say about texts made up for this purpose.

  pip install sacrebleu==2.6.0 rouge-score==0.1.2 nltk==3.10.4 seqeval==1.2.2 pycocoevalcap==1.2
  python3 make_goldens.py

BLEU and NIST of mteval have no package; they are computed here from their definition, in the plainest way.
noise_*.txt are the first 60 pairs of the synthetic text of T5's ROUGE tests (Apache-2.0, see NOTICE.txt).
"""
import json
import math
import re
from collections import Counter
from pathlib import Path

from nltk.stem.porter import PorterStemmer
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sacrebleu.tokenizers.tokenizer_intl import TokenizerV14International
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, IOE1, IOE2, Tokens

HERE = Path(__file__).parent

CORPUS = [
    ("The Green Otter serves cheap soup near the old mill.",
     ["The Green Otter serves cheap soup near the old mill.", "Near the old mill, The Green Otter offers cheap soup."]),
    ("Cheap soup is served at a harbour cafe called Otter.",
     ["At the harbour, a cafe called The Green Otter serves cheap soup.", "A cafe in the harbour has soup.", "Otter: cheap soup."]),
    ("Kites and lanterns cost 12.50, or 3 for 30, at the market!",
     ["At the market kites and lanterns cost 12.50 each, or 30 for 3!"]),
    ("nothing in common", ["Every word differs here.", "So it does here, too."]),
    ("Families are welcome.", ["Families are welcome and the rating is 5 out of 5.", "It welcomes families."]),
    ("", ["An output is missing.", "There is no output."]),
    ("the the the the the the the", ["The cat sat on the mat.", "There is a cat on the mat."]),
    ("A lamp, a chair and a table stood in the hall; the hall was long, dark and cold",
     ["In the hall, which was long, dark and cold, stood a chair, a table and a lamp.",
      "A chair and a table and a lamp stood in a long cold dark hall"]),
]


def mteval_tokens(text):
    return Tokenizer13a()(text).lower().split()


def ngrams(tokens, n):
    return Counter(tuple(tokens[i:i + n]) for i in range(len(tokens) - n + 1))


def statistics(corpus, orders, floor=0):
    hits, totals, hits_by_ngram = [0] * orders, [0] * orders, [Counter() for _ in range(orders)]
    hyp_tokens = ref_tokens = 0
    for hyp, refs in corpus:
        h, rs = mteval_tokens(hyp), [mteval_tokens(r) for r in refs]
        for n in range(orders):
            most = Counter()
            for r in rs:
                most |= ngrams(r, n + 1)
            got = ngrams(h, n + 1) & most
            hits_by_ngram[n] += got
            hits[n] += sum(got.values())
            totals[n] += max(floor, len(h) - n)
        hyp_tokens += len(h)
        ref_tokens += min((abs(len(r) - len(h)), len(r)) for r in rs)[1]
    return hits, totals, hits_by_ngram, hyp_tokens, ref_tokens


def mteval_bleu(corpus):
    hits, totals, _, c, r = statistics(corpus, 4)
    log, k = 0.0, 0
    for hit, total in zip(hits, totals):
        k += hit == 0
        log += math.log(hit / total if hit else 1 / (2 ** k * total))
    return math.exp(min(0, 1 - r / c)) * math.exp(log / 4)


def mteval_bleu_python(corpus):
    hits, totals, _, c, r = statistics(corpus, 4, floor=-4)
    log = sum(math.log(max(hit, 1e-15) / max(total, 1e-9)) for hit, total in zip(hits, totals))
    return math.exp(min(0, 1 - r / c)) * math.exp(log / 4)


def nist(corpus, perl):
    _, totals, hits_by_ngram, c, _ = statistics(corpus, 5)
    refs = [[mteval_tokens(r) for r in rs] for _, rs in corpus]
    counts = Counter()
    for r in (r for rs in refs for r in rs):
        for n in range(1, 6):
            counts += ngrams(r, n)
        counts[()] += len(r)
    score = sum(sum(k * math.log2(counts[g[:-1]] / counts[g]) for g, k in hits.items()) / total
                for hits, total in zip(hits_by_ngram, totals))
    length = sum(sum(map(len, rs)) / len(rs) for rs in refs)
    if perl:
        length = counts[()] / (sum(map(len, refs)) / len(refs))
    beta = -math.log(0.5) / math.log(1.5) ** 2
    return score * math.exp(-beta * math.log(min(1, c / length)) ** 2)


def plain_words(text):
    return re.sub(r"(?<!\d)[.,]|[.,](?!\d)|[:;!]", " ", text.lower()).split()


def generation(corpus):
    hyps = [h for h, _ in corpus]
    streams = [[refs[i] if i < len(refs) else None for _, refs in corpus] for i in range(max(len(r) for _, r in corpus))]
    score = lambda metric: metric.corpus_score(hyps, streams).score
    words_ref = {i: [" ".join(plain_words(r)) for r in refs] for i, (_, refs) in enumerate(corpus)}
    words_hyp = {i: [" ".join(plain_words(h))] for i, (h, _) in enumerate(corpus)}
    values = {
        "bleu": mteval_bleu(corpus), "bleu_python": mteval_bleu_python(corpus),
        "nist": nist(corpus, True), "nist_python": nist(corpus, False),
        "sacrebleu": score(BLEU()), "sacrebleu_intl": score(BLEU(tokenize="intl")), "sacrebleu_none": score(BLEU(tokenize="none")),
        "sacrebleu_floor": score(BLEU(smooth_method="floor")), "sacrebleu_add_one": score(BLEU(smooth_method="add-k")),
        "sacrebleu_lowercase": score(BLEU(lowercase=True)), "multi_bleu": score(BLEU(tokenize="none", smooth_method="none")),
        "multi_bleu_lc": score(BLEU(tokenize="none", smooth_method="none", lowercase=True)),
        "chrf": score(CHRF()), "chrf++": score(CHRF(word_order=2)), "chrf_lowercase": score(CHRF(lowercase=True)),
        "ter": score(TER()), "ter_cased": score(TER(case_sensitive=True)),
        "cider": float(Cider().compute_score(words_ref, words_hyp)[0]), "rouge_l": float(Rouge().compute_score(words_ref, words_hyp)[0]),
    }
    return values


def summaries(pairs):
    values = {}
    for stemming in (False, True):
        types = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
        scorer = rouge_scorer.RougeScorer(types, use_stemmer=stemming)
        scores = [scorer.score(t.replace(" . ", " .\n"), p.replace(" . ", " .\n")) for p, t in pairs]
        for kind in types:
            values[kind + ("_stem" if stemming else "")] = 100 * sum(s[kind].fmeasure for s in scores) / len(scores)
    return values


WORDS = """caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized hopping tanned falling hissing
fizzed failing filing happy sky relational conditional rational valenci hesitanci digitizer conformabli radically differently vilely
analogously vietnamization predication operator feudalism decisiveness hopefulness callousness formality sensitivity sensibility triplicate
formative formalize electricity electrical hopeful goodness revival allowance inference airliner gyroscopic adjustable defensible irritant
replacement adjustment dependent adoption homologou communism activate angularity homologous effective bowdlerize probate rate cease
controll roll dies died dying lying tying news innings outings cannings howe proceed exceed succeed skies spied tried flies enjoy say by
enjoyment theology geologi fulfilli fully idly ability crying yyyy syzygy a be 2024 x2000s abilities national""".split()

LINES = ["Costs 1,000.50, or 12-15: \"cheap\" (they say) a.b c/d; e.g. 5.", "&quot;A&amp;B&quot; &lt;tag&gt; <skipped> x-ray 3-star [ok] {1}",
         "\u00abQuoi ?\u00bb \u2014 dit-il\u2026 \u20ac5, \u00a36.50 and 7\u00b2 \u2248 49.", "end with year 1999.", "  spaces   everywhere . ", "\u4e00\u3001\u4e8c\u3002 3\uff0c4"]

TAGS = ["B-A I-A O I-A", "I-A I-B B-B I-B O", "B-A B-A I-A E-A S-A O", "S-X E-X I-X B-X", "E-A O E-A E-A", "B-creative-work I-creative-work O",
        "B I O S", "I-A B-A I-A", "B-A E-A S-B O B-B I-B E-B", "B-A L-A U-B O B-B I-B L-B"]
SCHEMES = {"IOB1": IOB1, "IOB2": IOB2, "IOE1": IOE1, "IOE2": IOE2, "IOBES": IOBES, "BILOU": BILOU}


def entities(tags):
    found = {"lenient": [list(e) for e in get_entities(tags.split())]}
    for name, scheme in SCHEMES.items():
        try:
            found[name] = [[e.tag, e.start, e.end - 1] for e in Tokens(tags.split(), scheme).entities]
        except (ValueError, KeyError):
            found[name] = None
    return found


def main():
    noise = list(zip(*((HERE / f"noise_{side}.txt").read_text().splitlines() for side in ("predictions", "targets"))))
    nltk, original = PorterStemmer(), PorterStemmer(mode=PorterStemmer.ORIGINAL_ALGORITHM)
    cases = {
        "corpus": [{"hypothesis": h, "references": r} for h, r in CORPUS],
        "generation": generation(CORPUS),
        "noise": summaries(noise),
        "stems": [[w, nltk.stem(w), original.stem(w)] for w in WORDS],
        "tokens": [{"text": t, "13a": Tokenizer13a()(t), "intl": TokenizerV14International()(t)} for t in LINES],
        "entities": [{"tags": t, "found": entities(t)} for t in TAGS],
    }
    (HERE / "cases.json").write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
