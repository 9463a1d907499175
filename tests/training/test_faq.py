"""The collections of frequently asked questions: what of a page is asked, and what answers."""

from edge_rerank_training.faq import WORDS, answered, pod_sections

POD = """\
=head1 NAME

perlfaq9 - networking

=head2 How do I B<send> mail with C<< Mail::Any >>,
and who reads it?

(contributed by a friend)

Use the C<send> method of L<Mail::Any>, as its manual says, and give it the
address of whoever is to read the I<letter>.

    my $mail = Mail::Any->new;

=over 4

That is all.

=head1 AUTHOR

Somebody.

=head2 Not a question

This is here to be left out, because its heading does not ask for anything at all.
"""


def test_code_marks_and_credits_of_pod_are_left_out() -> None:
    assert answered(pod_sections(POD)) == {
        "How do I send mail with Mail::Any, and who reads it?": (
            "Use the send method of Mail::Any, as its manual says, and give it the address of"
            " whoever is to read the letter. That is all."
        )
    }


def test_short_answers_are_left_out_and_long_ones_cut() -> None:
    long = ("Why?", "word " * (WORDS[1] + 9))
    found = answered(iter([("How?", "Not so."), long, ("Why?", "again " * WORDS[0])]))
    assert found == {"Why?": " ".join(["word"] * WORDS[1])}
