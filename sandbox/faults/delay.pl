# Relays TCP connections that nftables has redirected here: what the task sends arrives so many milliseconds later.
#
# A process for each connection, since the toolbox has Perl's base alone. Its clock has ticks of 10 ms: a piece is never
# early, and up to two ticks late.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_IP SO_LINGER SOL_SOCKET inet_ntoa sockaddr_in);

use constant { SO_ORIGINAL_DST => 80, PIECE => 65536, MOST_QUEUED => 4 << 20 };

my ($port, $milliseconds) = @ARGV;
my $ticks_a_second = POSIX::sysconf(POSIX::_SC_CLK_TCK());
my $late = POSIX::ceil($milliseconds * $ticks_a_second / 1000) + 1;

$SIG{CHLD} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';
my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 128, ReuseAddr => 1) or die "cannot listen: $@\n";
$| = 1;
print "listening\n";
while (1) {
    my $accepted = $listener->accept or next;
    my $child = fork;
    if (defined $child && $child == 0) {
        close $listener;
        relay($accepted);
        POSIX::_exit(0);
    }
    close $accepted;
}

sub now { return (POSIX::times())[0] }

# Closing with a reset, as who is refused sees it.
sub refuse {
    my ($accepted) = @_;
    setsockopt($accepted, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    close $accepted;
}

sub relay {
    my ($accepted) = @_;
    my $original = getsockopt($accepted, IPPROTO_IP, SO_ORIGINAL_DST) or return refuse($accepted);
    my $address = substr $original, 0, 16;  # a copy: the buffer is longer
    my ($to_port, $to) = sockaddr_in($address);
    return refuse($accepted) if $to_port == $port;  # somebody has asked for this port, and would be led here again
    my $onward = IO::Socket::INET->new(PeerHost => inet_ntoa($to), PeerPort => $to_port, Timeout => 30)
        or return refuse($accepted);
    # Connections of the task's own come by the loopback.
    my $is_own = $accepted->sockhost =~ /^127\./;
    my %way = (
        accepted => { from => $accepted, to => $onward, late => $is_own ? $late : 0, queue => [], size => 0 },
        onward => { from => $onward, to => $accepted, late => $is_own ? 0 : $late, queue => [], size => 0 },
    );
    while (grep { !$_->{done} } values %way) {
        my $reading = IO::Select->new(
            map { $_->{from} } grep { !$_->{ended} && $_->{size} < MOST_QUEUED } values %way);
        my @due = sort { $a <=> $b } map { $_->{queue}[0][0] } grep { @{ $_->{queue} } } values %way;
        my $wait = @due ? ($due[0] - now()) / $ticks_a_second : undef;
        $wait = 0 if defined $wait && $wait < 0;
        my %ready = map { $_ => 1 } $reading->count ? $reading->can_read($wait) : select_nothing($wait);
        for my $one (values %way) {
            if ($ready{ $one->{from} }) {
                my $read = sysread $one->{from}, my $piece, PIECE;
                return refuse($accepted) if !defined $read;
                $one->{ended} = 1 if !$read;
                push @{ $one->{queue} }, [ now() + $one->{late}, $read ? $piece : undef ];
                $one->{size} += $read;
            }
            while (@{ $one->{queue} } && $one->{queue}[0][0] <= now()) {
                my (undef, $piece) = @{ shift @{ $one->{queue} } };
                if (!defined $piece) {
                    shutdown $one->{to}, 1;
                    $one->{done} = 1;
                    next;
                }
                $one->{size} -= length $piece;
                send_all($one->{to}, $piece) or return refuse($accepted);
            }
        }
    }
}

sub select_nothing {
    select undef, undef, undef, $_[0];
    return;
}

sub send_all {
    my ($to, $piece) = @_;
    while (length $piece) {
        my $written = syswrite $to, $piece;
        return 0 if !defined $written;
        substr $piece, 0, $written, '';
    }
    return 1;
}
