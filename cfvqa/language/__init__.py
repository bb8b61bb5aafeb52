"""The grammar of questions and answers: writing, parsing, keywords, wrong answers, tokens."""
