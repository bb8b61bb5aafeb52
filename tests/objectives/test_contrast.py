import math

import torch

from cfvqa.data.batches import Tokens
from cfvqa.objectives.contrast import equal_texts, fine_scores, multi_positive_loss
from cfvqa.objectives.language import draw_masks, next_token_loss


def test_equal_scores_cost_the_logarithm_of_the_candidates():
    loss = multi_positive_loss(torch.zeros(4, 4), torch.eye(4, dtype=torch.bool))
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
    assert math.isclose(multi_positive_loss(score, positive).item(), total, rel_tol=1e-5)


def test_defect_13_duplicates_are_positive_both_ways():
    text = Tokens(torch.tensor([[7, 8], [9, 0], [7, 8]]), torch.tensor([[True, True], [True, False], [True, True]]))
    same = equal_texts(text)
    assert torch.equal(same, same.T)
    assert same.sum() == 5


def test_defect_42_two_equal_answers_do_not_push_each_other():
    score = torch.tensor([[3.0, 3.0], [3.0, 3.0]], requires_grad=True)
    multi_positive_loss(score, torch.ones(2, 2, dtype=torch.bool)).backward()
    assert score.grad.abs().max() < 1e-7


def test_defect_17_a_single_word_attends_to_its_region():
    visual = torch.eye(3).unsqueeze(0)
    word = torch.tensor([[[1.0, 0, 0]]])
    sharp = fine_scores(word, torch.ones(1, 1, dtype=torch.bool), visual, sharpness=50.0, emphasis=5.0)
    flat = fine_scores(word, torch.ones(1, 1, dtype=torch.bool), visual, sharpness=0.0, emphasis=5.0)
    assert math.isclose(sharp.item(), 1.0, abs_tol=1e-4)
    assert math.isclose(flat.item(), 1 / math.sqrt(3), rel_tol=1e-5)


def test_fine_scores_against_the_attended_tokens_themselves():
    generator = torch.Generator().manual_seed(2)
    visual = torch.nn.functional.normalize(torch.randn(3, 6, 4, generator=generator), dim=-1)
    word = torch.nn.functional.normalize(torch.randn(2, 5, 4, generator=generator), dim=-1)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    score = fine_scores(word, mask, visual, sharpness=4.0, emphasis=5.0)
    for i in range(3):
        for j in range(2):
            terms = []
            for one in word[j][mask[j]]:
                context = ((visual[i] @ one) * 4.0).softmax(0) @ visual[i]
                terms.append(math.exp(5.0 * torch.cosine_similarity(context, one, dim=0)))
            expected = math.log(sum(terms) / len(terms)) / 5.0
            assert math.isclose(score[i, j].item(), expected, rel_tol=1e-4, abs_tol=1e-5)


def test_padding_words_change_no_fine_score():
    generator = torch.Generator().manual_seed(1)
    visual = torch.nn.functional.normalize(torch.randn(2, 6, 4, generator=generator), dim=-1)
    word = torch.nn.functional.normalize(torch.randn(2, 3, 4, generator=generator), dim=-1)
    mask = torch.ones(2, 3, dtype=torch.bool)
    padded = torch.cat([word, torch.ones(2, 2, 4)], 1)
    padded_mask = torch.cat([mask, torch.zeros(2, 2, dtype=torch.bool)], 1)
    short = fine_scores(word, mask, visual, sharpness=4.0, emphasis=5.0)
    assert torch.allclose(short, fine_scores(padded, padded_mask, visual, sharpness=4.0, emphasis=5.0), atol=1e-6)


def test_defect_19_masks_follow_the_number_of_keywords():
    torch.manual_seed(0)
    words = torch.ones(3, 400, dtype=torch.bool)
    keywords = torch.zeros(3, 400, dtype=torch.bool)
    keywords[0, 5] = True
    keywords[1] = True
    chosen = draw_masks(words, keywords, several=0.6, none=0.3)
    assert chosen[0].nonzero().tolist() == [[5]]
    assert 0.5 < chosen[1].float().mean() < 0.7
    assert 0.2 < chosen[2].float().mean() < 0.4


def test_defect_8b_targets_are_shifted_and_padding_weighs_nothing():
    text = Tokens(torch.tensor([[5, 1, 3, 0]]), torch.tensor([[True, True, True, False]]))
    logits = torch.zeros(1, 4, 6)
    logits[0, 0, 1] = logits[0, 1, 3] = 50.0
    assert next_token_loss(logits, text).item() < 1e-6
    logits[0, 2, 4] = 50.0
    assert next_token_loss(logits, text).item() < 1e-6
