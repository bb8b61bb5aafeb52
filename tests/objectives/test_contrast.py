import math

import pytest
import torch

from cfvqa.data.batches import Tokens
from cfvqa.objectives.contrast import LookUp, cosines, equal_texts, fine_scores, multi_positive_loss, texts_of_units
from cfvqa.objectives.language import mask_probability, next_token_loss

ALL = torch.ones(5, dtype=torch.bool)


def test_equal_scores_cost_the_logarithm_of_the_candidates():
    loss = multi_positive_loss(torch.zeros(4, 4), torch.eye(4, dtype=torch.bool), ALL[:4])
    assert math.isclose(loss.item(), math.log(4), rel_tol=1e-6)


def test_loss_against_a_slow_loop():
    generator = torch.Generator().manual_seed(0)
    score = torch.randn(5, 5, generator=generator)
    positive = torch.eye(5, dtype=torch.bool)
    positive[0, 3] = positive[3, 0] = True
    total = 0.0
    for matrix in (score, score.T):
        for i in range(5):
            own = [j for j in range(5) if positive[i, j]]
            denominator = sum(math.exp(matrix[i, j]) for j in range(5))
            total += sum(-math.log(math.exp(matrix[i, j]) / denominator) for j in own) / len(own) / 10
    assert math.isclose(multi_positive_loss(score, positive, ALL).item(), total, rel_tol=1e-5)


def test_defect_13_duplicates_are_positive_both_ways():
    text = Tokens(torch.tensor([[7, 8], [9, 0], [7, 8]]), torch.tensor([[True, True], [True, False], [True, True]]))
    same = equal_texts(text)
    assert torch.equal(same, same.T)
    assert same.sum() == 5


def test_of_two_questions_about_a_unit_both_directions_know_both_texts():
    # Unit 0 is asked twice, and answers 7 and 8; unit 1 answers 8. So 8 fits all images, and 7 does not fit unit 1.
    text = Tokens(torch.tensor([[7], [8], [8]]), torch.ones(3, 1, dtype=torch.bool))
    positive = texts_of_units(text, torch.tensor([0, 0, 1]))
    assert positive.tolist() == [[True, True, True], [True, True, True], [False, True, True]]
    score = torch.tensor([[1.0, 2, 1], [1, 2, 1], [1, 1, 2]]).log()
    ln = math.log
    rows = [-(2 * ln(1 / 4) + ln(2 / 4)) / 3] * 2 + [-(ln(1 / 4) + ln(2 / 4)) / 2]
    columns = [-ln(1 / 3), -(2 * ln(2 / 5) + ln(1 / 5)) / 3, -(2 * ln(1 / 4) + ln(2 / 4)) / 3]
    expected = (sum(rows) + sum(columns)) / 6
    assert math.isclose(multi_positive_loss(score, positive, ALL[:3]).item(), expected, rel_tol=1e-6)


def test_defect_14_the_two_directions_are_two_numbers():
    score = torch.tensor([[5.0, 5.0], [0.0, 0.0]])  # all texts alike to each image; no image is alike to the other
    rows = math.log(2)
    columns = (math.log(1 + math.exp(-5)) + math.log(1 + math.exp(5))) / 2
    loss = multi_positive_loss(score, torch.eye(2, dtype=torch.bool), ALL[:2])
    assert math.isclose(loss.item(), (rows + columns) / 2, rel_tol=1e-5)


def test_defect_14_a_score_does_not_grow_with_the_number_of_words():
    visual, word = units(1, 6, 4, seed=1), units(1, 1, 4, seed=4)
    sizes = {"visual_mask": torch.ones(1, 6, dtype=torch.bool), "sharpness": 4.0, "emphasis": 5.0}
    once = fine_scores(word, ONE, visual, **sizes)
    thrice = fine_scores(word.repeat(1, 3, 1), THREE, visual, **sizes)
    assert torch.allclose(once, thrice, atol=1e-6)


def test_defect_42_two_equal_answers_do_not_push_each_other():
    score = torch.tensor([[3.0, 3.0], [3.0, 3.0]], requires_grad=True)
    multi_positive_loss(score, torch.ones(2, 2, dtype=torch.bool), ALL[:2]).backward()
    assert score.grad.abs().max() < 1e-7


ONE, THREE = torch.ones(1, 1, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)


def test_defect_17_a_single_word_attends_to_its_region():
    visual = torch.eye(3).unsqueeze(0)
    word = torch.tensor([[[1.0, 0, 0]]])
    sharp = fine_scores(word, ONE, visual, THREE, sharpness=50.0, emphasis=5.0)
    flat = fine_scores(word, ONE, visual, THREE, sharpness=0.0, emphasis=5.0)
    assert math.isclose(sharp.item(), 1.0, abs_tol=1e-4)
    assert math.isclose(flat.item(), 1 / math.sqrt(3), rel_tol=1e-5)
    published = fine_scores(word, ONE, visual, THREE, sharpness=50.0, emphasis=5.0, softmaxes=2)
    assert math.isclose(published.item(), flat.item(), rel_tol=1e-5)  # the choice has the defect, and says so


def units(*shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(*shape, generator=generator), dim=-1)


WORDS = torch.tensor([[True] * 5, [True, True, False, False, False]])
TOKENS = torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [True] + [False] * 5])


@pytest.mark.parametrize("softmaxes", [1, 2])
def test_fine_scores_against_the_attended_tokens_themselves(softmaxes):
    visual, word = units(3, 6, 4, seed=2), units(2, 5, 4, seed=3)
    score = fine_scores(word, WORDS, visual, TOKENS, sharpness=4.0, emphasis=5.0, softmaxes=softmaxes)
    for i in range(3):
        seen = visual[i][TOKENS[i]]
        for j in range(2):
            words = word[j][WORDS[j]]
            weight = words @ seen.T
            if softmaxes == 2:
                weight = weight.softmax(0)
            contexts = (weight * 4.0).softmax(1) @ seen
            terms = [
                math.exp(5.0 * torch.cosine_similarity(*pair, dim=0)) for pair in zip(contexts, words, strict=True)
            ]
            expected = math.log(sum(terms) / len(terms)) / 5.0
            assert math.isclose(score[i, j].item(), expected, rel_tol=1e-4, abs_tol=1e-5)


def test_scores_keep_all_their_digits_in_a_training_of_16_bits():
    word, visual = units(2, 3, 8, seed=1), units(2, 4, 8, seed=2)
    sizes = torch.ones(2, 3, dtype=torch.bool), visual, torch.ones(2, 4, dtype=torch.bool)
    expected = cosines(word[0], visual[0]), LookUp().compare(word, *sizes)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = cosines(word[0], visual[0]), LookUp().compare(word, *sizes)
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("softmaxes", [1, 2])
def test_padding_changes_no_fine_score(softmaxes):
    visual, word = units(2, 6, 4, seed=1), units(2, 3, 4, seed=4)
    sizes = {"sharpness": 4.0, "emphasis": 5.0, "softmaxes": softmaxes}
    some, all_ = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 6, dtype=torch.bool)
    short = fine_scores(word, some, visual, all_, **sizes)
    pad = torch.nn.functional.pad
    padded = fine_scores(
        torch.cat([word, torch.ones(2, 2, 4)], 1),
        pad(some, (0, 2)),
        torch.cat([visual, torch.ones(2, 3, 4)], 1),
        pad(all_, (0, 3)),
        **sizes,
    )
    assert torch.allclose(short, padded, atol=1e-6)


@pytest.mark.parametrize("softmaxes", [1, 2])
def test_a_text_without_words_fits_nothing_and_learns_nothing(softmaxes):
    visual, word = units(1, 6, 4, seed=1), units(1, 3, 4, seed=4).requires_grad_()
    none, all_ = torch.zeros(1, 3, dtype=torch.bool), torch.ones(1, 6, dtype=torch.bool)
    score = fine_scores(word, none, visual, all_, sharpness=4.0, emphasis=5.0, softmaxes=softmaxes)
    assert score.item() == -1
    score.sum().backward()
    assert not word.grad.any()


def test_defect_19_masks_follow_the_number_of_keywords():
    words = torch.tensor([[True, True, True, False]]).expand(3, 4)
    keywords = torch.zeros(3, 4, dtype=torch.bool)
    keywords[0, 1] = True
    keywords[1, :2] = True
    probability = mask_probability(words, keywords, several=0.6, none=0.3)
    assert torch.equal(probability, torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.6, 0.6, 0.0, 0.0], [0.3, 0.3, 0.3, 0.0]]))


def test_defect_8b_targets_are_shifted_and_padding_weighs_nothing():
    text = Tokens(torch.tensor([[5, 1, 3, 0]]), torch.tensor([[True, True, True, False]]))
    logits = torch.zeros(1, 4, 6)
    logits[0, 0, 1] = logits[0, 1, 3] = 50.0
    assert next_token_loss(logits, text).item() < 1e-6
    logits[0, 2, 4] = 50.0
    assert next_token_loss(logits, text).item() < 1e-6


def test_smoothed_targets_against_their_formula():
    text = Tokens(torch.tensor([[5, 1, 3, 0], [5, 2, 4, 1]]), torch.tensor([[True] * 3 + [False], [True] * 4]))
    logits = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(7))
    costs = []
    for row, place, target in ((0, 0, 1), (0, 1, 3), (1, 0, 2), (1, 1, 4), (1, 2, 1)):
        seen = logits[row, place].tolist()
        below = math.log(sum(map(math.exp, seen)))
        share = [0.1 / 6 + 0.9 * (token == target) for token in range(6)]
        costs.append(sum(part * (below - value) for part, value in zip(share, seen, strict=True)))
    assert math.isclose(next_token_loss(logits, text, smoothing=0.1).item(), sum(costs) / 5, rel_tol=1e-5)
