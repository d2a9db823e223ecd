# Was die Seiten auf Deutsch sagen.

brand = Lockstep
sign-in = Anmelden
sign-in-about = Mit Benutzername und Passwort.
sign-out = Abmelden
signed-out = Sie sind abgemeldet
signed-out-about = Schließen Sie den Browser, wenn auch andere diesen Rechner benutzen.
to-continue-to = um fortzufahren mit
user-name = Benutzername
password = Passwort
not-signed-in = Das hat nicht geklappt. Prüfen Sie Benutzername und Passwort. Warten Sie nach mehreren falschen Versuchen eine Weile.
too-many = Zu viele Versuche von Ihrer Adresse. Warten Sie eine Minute und versuchen Sie es dann noch einmal.

cannot-continue = Hier geht es nicht weiter
unknown-client = Die Anwendung, die Sie hierher geschickt hat, ist nicht bekannt, oder die Adresse, an die Sie zurückgeschickt werden sollen, gehört nicht zu ihr. Sagen Sie es denen, die die Anwendung betreiben.
not-from-here = Das Formular kam nicht von dieser Seite. Öffnen Sie die Seite unter ihrer eigentlichen Adresse und versuchen Sie es noch einmal.
form-is-old = Das Formular war zu lange offen, oder Cookies sind gesperrt. Gehen Sie dorthin zurück, woher Sie kamen, und beginnen Sie noch einmal.
not-found = Hier ist nichts
not-found-about = Die Adresse stimmt nicht ganz, oder es gibt nicht mehr, wohin sie führte.
failed = Bei uns ist etwas schiefgegangen
failed-about = Es ist nichts verloren. Versuchen Sie es gleich noch einmal; wenn es so bleibt, sagen Sie es Ihrer Administration.

enrol = Passwort festlegen
enrol-about = Sie haben einen Link oder einen Code von Ihrer Administration bekommen. Er gilt einmal.
code = Code
code-about = Was im Link hinter dem # steht.
new-password = Neues Passwort
repeat-password = Neues Passwort noch einmal
set-password = Passwort festlegen
wrong-code = Dieser Code gilt nicht mehr. Lassen Sie sich einen neuen geben.
not-repeated = Die beiden Passwörter sind nicht gleich.
not-a-password = Ein Passwort hat mindestens ein Zeichen, keine Zeilenumbrüche oder andere Steuerzeichen und höchstens 245 Bytes.
enrolled = Ihr Passwort ist festgelegt
enrolled-about = Sie können sich jetzt damit anmelden.
unfinished = Ihr Passwort ist unterwegs
unfinished-about = Es dauert länger als sonst. Versuchen Sie in einigen Minuten, ob Sie sich damit anmelden können.

passwords = Ihre Passwörter
passwords-none = Hier gibt es kein Passwort, das Sie ändern könnten.
passwords-none-about = Für Sie ist noch keine Anwendung mit eigenem Passwort eingerichtet. Das kann Ihre Administration tun.
password-groups = Passwortgruppen
password-groups-about = Die Anwendungen einer Gruppe haben ein gemeinsames Passwort. Einmal geändert, ist es in allen geändert.
sources = Anwendungen mit einem Konto
sources-about = Diese Anwendungen verwenden dasselbe Konto und damit dasselbe Passwort.
applications = Anwendungen
here = Anmeldung hier
change-password = Passwort ändern
change-password-of = Passwort ändern: { $name }
last-changed = Zuletzt geändert am { $date }
never-changed = Hier noch nicht geändert
changed-outside = Anderswo geändert am { $date }
changed-outside-advice = Ändern Sie es hier, damit alle wieder dasselbe haben.

change-reaches =
    { $count ->
        [one] Das neue Passwort gilt dann für
        *[other] Das neue Passwort gilt dann für all das:
    }
which-account = Welches Konto?
choose-account = Das Passwort wurde nicht geändert. Wählen Sie das Konto, das es bekommen soll.
your-password = Ihr Anmeldepasswort
wrong-password = Das ist nicht Ihr Anmeldepasswort. Warten Sie nach mehreren falschen Versuchen eine Weile.
rules = Das neue Passwort
rule-max-length =
    { $number ->
        [one] hat höchstens ein Zeichen
        *[other] hat höchstens { $number } Zeichen
    }
rule-min-length =
    { $number ->
        [one] hat mindestens ein Zeichen
        *[other] hat mindestens { $number } Zeichen
    }
rule-min-alpha =
    { $number ->
        [one] hat mindestens einen Buchstaben
        *[other] hat mindestens { $number } Buchstaben
    }
rule-min-upper =
    { $number ->
        [one] hat mindestens einen Großbuchstaben
        *[other] hat mindestens { $number } Großbuchstaben
    }
rule-min-lower =
    { $number ->
        [one] hat mindestens einen Kleinbuchstaben
        *[other] hat mindestens { $number } Kleinbuchstaben
    }
rule-min-numeric =
    { $number ->
        [one] hat mindestens eine Ziffer
        *[other] hat mindestens { $number } Ziffern
    }
rule-min-special =
    { $number ->
        [one] hat mindestens ein Sonderzeichen
        *[other] hat mindestens { $number } Sonderzeichen
    }
rule-min-types =
    { $number ->
        [one] hat Großbuchstaben, Kleinbuchstaben, Ziffern oder Sonderzeichen
        *[other] hat mindestens { $number } davon: Großbuchstaben, Kleinbuchstaben, Ziffern, Sonderzeichen
    }
rule-repeated =
    { $number ->
        [one] hat kein Zeichen zweimal hintereinander
        *[other] hat kein Zeichen mehr als { $number }-mal hintereinander
    }
rule-account-attribute = enthält keine Angaben zum Konto
rule-identity-attribute = enthält weder Ihren Namen noch andere Angaben zu Ihnen
rule-account-id =
    { $number ->
        [0] enthält nicht die Kennung des Kontos
        [one] enthält kein Zeichen der Kennung des Kontos
        *[other] enthält keine { $number } Zeichen hintereinander aus der Kennung des Kontos
    }
rule-account-name =
    { $number ->
        [0] enthält nicht den Namen des Kontos
        [one] enthält kein Zeichen des Namens des Kontos
        *[other] enthält keine { $number } Zeichen hintereinander aus dem Namen des Kontos
    }
rule-dictionary = enthält kein Wort, das Ihre Organisation ausgeschlossen hat
rule-common = ist keines der häufigsten Passwörter, die zuerst geraten werden
rule-history =
    { $number ->
        [one] ist kein älteres von Ihnen
        *[other] ist keines Ihrer letzten { $number }, außer dem jetzigen
    }
broken = Das Passwort wurde nicht geändert. Es hält unten nicht jede Regel ein.
kept = eingehalten
not-kept = nicht eingehalten
rules-kept = Alle Regeln sind eingehalten.
rules-broken =
    { $number ->
        [one] Eine Regel ist nicht eingehalten.
        *[other] { $number } Regeln sind nicht eingehalten.
    }
show-password = Passwort zeigen
too-long = Das Passwort wurde nicht geändert: Es ist länger als 245 Bytes, und so viel lässt sich keinem System schicken.
cancel = Abbrechen

change-running = Ihr Passwort wird geändert
change-running-about = Sie können diese Seite verlassen. Die Änderung geht weiter, und ein System, das nicht zu erreichen ist, wird noch einmal versucht.
change-done = Ihr Passwort ist geändert
change-refused = Ihr Passwort wurde nicht geändert
change-partly = Ihr Passwort ist nicht überall geändert
change-devices = Telefone, Mailprogramme und gespeicherte Netze haben noch das alte Passwort. Geben Sie ihnen das neue, sonst sperren sie vielleicht Ihr Konto, weil sie das alte immer wieder versuchen.
change-both = Nehmen Sie das neue Passwort, wo es geändert ist, und das alte, wo nicht.
state-waiting = wartet auf Ihr Anmeldepasswort
state-changing = wird geändert
state-done = ist geändert
state-retrying = wird noch einmal versucht: { $reason }
state-retrying-plain = wird noch einmal versucht
state-failed = ist nicht geändert: { $reason }
state-failed-plain = ist nicht geändert
state-superseded = ist nicht geändert, denn nach dieser Änderung kam eine neuere
state-not-attempted = ist nicht geändert, denn Ihr Anmeldepasswort ist es auch nicht
state-expired = ist nicht geändert: Es war nicht rechtzeitig zu erreichen ({ $reason })
state-expired-plain = ist nicht geändert: Es war nicht rechtzeitig zu erreichen
unsure = Vielleicht hat es das neue Passwort trotzdem. Versuchen Sie beide.
again = Noch einmal versuchen
changes = Ihre letzten Änderungen
changes-none = Es gibt noch keine.
state-not-everywhere = ist nicht oder nicht überall geändert
source-gone = Ein System, das es hier nicht mehr gibt
back = Zurück zu Ihren Passwörtern

continue = Weiter
prove = Zeigen Sie, dass Sie es sind
prove-about = Ihre Anmeldung liegt eine Weile zurück.
second-code = Code
second-code-about = Aus Ihrer Authenticator-App, oder einer Ihrer Wiederherstellungscodes.
wrong-second = Dieser Code stimmt nicht oder wurde schon benutzt. Warten Sie auf den nächsten. Nach mehreren falschen Versuchen warten Sie eine Weile.

security = Ihre Sicherheit
second-factor = Zweiter Faktor
second-factor-about = Neben dem Passwort zeigt ein Gerät von Ihnen, dass Sie es sind. Wer Ihr Passwort erfährt, kann sich damit allein nicht anmelden.
second-factor-begin = Einrichten
second-factor-since = Eingerichtet, seit { $date }
second-factor-remove = Entfernen
recovery-codes = Ihre Wiederherstellungscodes
recovery-codes-about = Bewahren Sie sie dort auf, wo Ihr Telefon nicht ist. Jeder lässt Sie einmal anstelle eines Codes hinein. Sie werden nur jetzt gezeigt.
recovery-codes-kept = Ich habe sie aufbewahrt
recovery-codes-left =
    { $count ->
        [one] Ein Wiederherstellungscode ist übrig.
        *[other] { $count } Wiederherstellungscodes sind übrig.
    }
recovery-codes-new = Neue Wiederherstellungscodes
totp = Einen zweiten Faktor einrichten
totp-app = Öffnen Sie eine Authenticator-App auf Ihrem Telefon.
totp-scan = Lassen Sie sie dieses Bild lesen.
totp-picture = Das Bild, das die App liest
totp-type = Sie kann es nicht lesen?
totp-here = In einer App auf diesem Gerät öffnen
totp-code = Geben Sie den Code ein, den sie zeigt.
sessions = Wo Sie angemeldet sind
session-this = dieser Browser
session-since = seit { $date }
sessions-end = Überall sonst abmelden
unknown-browser = Ein Browser
needs-second-factor = Ein zweiter Faktor ist nötig
needs-second-factor-about = Dieses Passwort ändert von hier aus nur, wer einen hat. Richten Sie ihn zuerst ein; es dauert eine Minute.

reset = Passwort vergessen?
reset-about = Bitten Sie Ihren Helpdesk um einen Code. Damit setzen Sie hier ein neues Passwort.
reset-code = Code vom Helpdesk
reset-code-about = Er gilt einmal, und nur für wenige Minuten.
reset-wrong = Das hat nicht geklappt. Prüfen Sie Benutzername und Code. Nach fünf falschen Versuchen bitten Sie um einen neuen Code.
reset-over = Das war zu lange offen, oder das Passwort wurde inzwischen gesetzt
reset-over-about = Versuchen Sie, ob Sie sich anmelden können. Wenn nicht, bitten Sie Ihren Helpdesk um einen neuen Code.
reset-done = Ihr Passwort ist gesetzt
reset-done-about = Sie können sich jetzt damit anmelden. Wo Sie angemeldet waren, sind Sie abgemeldet.

people = Personen
people-sought = Name, Benutzername oder E-Mail-Adresse
people-find = Suchen
people-none = Es gibt niemanden, dessen Name so beginnt.
people-more =
    { $count ->
        [one] Höchstens eine Person wird gezeigt. Schreiben Sie mehr vom Namen.
        *[other] Höchstens { $count } werden gezeigt. Schreiben Sie mehr vom Namen.
    }
people-back = Zurück zur Suche
person-enabled = aktiv
person-disabled = gesperrt
person-disabled-about = Gesperrt: Diese Person meldet sich nicht an und bekommt keinen Code.
person-changes = Letzte Änderungen
accounts = Konten
help = Hilfe
help-code = Code für ein neues Passwort
help-code-about = Wer ist am Telefon? Seien Sie erst sicher. Mit dem Code setzt die Person selbst ein neues Passwort.
help-code-off = Codes für ein neues Passwort sind für Ihre Organisation abgeschaltet.
help-code-drawn = Lesen Sie diesen Code vor
help-code-for = Er ist nur für { $name }, gilt einmal, und nur für wenige Minuten.
help-code-read = Er wird dort eingegeben, wo man sich anmeldet, hinter „Passwort vergessen?“. Sie sehen ihn nicht wieder.
help-locked = Ausgesperrt nach falschen Versuchen.
help-not-locked = Hier nicht ausgesperrt.
help-unlock = Entsperren
help-sessions =
    { $count ->
        [0] Auf diesen Seiten nicht angemeldet.
        [one] An einem Ort angemeldet.
        *[other] An { $count } Orten angemeldet.
    }
help-sign-out = Überall abmelden
help-second-factor = Ein zweiter Faktor wird verlangt.
help-second-factor-remove = Den zweiten Faktor entfernen
back-to-person = Zurück
help-refused = Das dürfen Sie nicht
help-refused-about = Wer in der Organisation eine Aufgabe hat, dem hilft ein ORG_ADMIN; und wer gesperrt ist, dem hilft niemand.
wrong-link = Dieser Link gilt nicht mehr. Holen Sie einen neuen, wo Sie ihn her haben.
state-retrying-until = ist nicht erreichbar und wird bis { $date } noch einmal versucht
half-over = Das hat zu lange gedauert. Melden Sie sich noch einmal an.
reset-partly = Ihr Passwort ist gesetzt, aber nicht überall
their-change-running = Das Passwort wird gerade geändert
their-change-done = Das Passwort ist geändert
their-change-refused = Das Passwort wurde nicht geändert
their-change-partly = Das Passwort ist nicht überall geändert
suggest = Eines ausdenken
suggested = Ein Passwort ist ausgedacht und wird gezeigt. Bewahren Sie es in einem Passwortmanager auf.
not-suggested = Die Regeln lassen nichts übrig, das man sich ausdenken könnte.
help-codes-locked = Falsche Codes oder Antworten haben auch den zweiten Faktor gesperrt.
help-codes-locked-wait = Falsche Codes oder Antworten haben auch den zweiten Faktor gesperrt: Ein ORG_ADMIN entsperrt ihn, oder die Zeit.
totp-add = Codes aus einer App verwenden
totp-name = Codes aus einer App
passkey-add = Einen Passkey hinzufügen
passkey-add-about = Ihr Telefon, Ihr Rechner oder ein Sicherheitsschlüssel lässt Sie hinein, wenn Sie es entsperren: kein Code zum Abtippen, und nichts, was eine falsche Seite Ihnen entlocken könnte.
passkey-make = Passkey erstellen
passkey-use = Passkey verwenden
passkey-failed = Es wurde kein Passkey gezeigt. Versuchen Sie es noch einmal, oder gehen Sie ohne weiter.
passkey-not-made = Es wurde kein Passkey erstellt. Versuchen Sie es noch einmal.
passkey-unknown-here = Dieser Browser kennt keine Passkeys.
passkey-no-script = Passkeys brauchen JavaScript, das dieser Browser nicht ausführt. Codes aus einer App brauchen es nicht.
passkey-too-many = Dieses Gerät hat schon einen Passkey, oder Sie haben zu viele. Entfernen Sie zuerst einen.
passkey-name = Passkey
passkey-name-of = Passkey ({ $browser })
passkey-used = Zuletzt benutzt am { $date }
recovery-code = Wiederherstellungscode
recovery-code-about = Einer von denen, die Sie aufbewahrt haben, falls Ihr Passkey nicht hier ist.
source-away = Das System, das Ihr Passwort kennt, kann gerade nicht gefragt werden. Das war kein falscher Versuch; kommen Sie in einer Weile wieder.
deliveries = Was noch einmal versucht wird
deliveries-about = Diese Konten haben ihr neues Passwort noch nicht. Jedes wird von selbst noch einmal versucht; wenn Sie wissen, dass das System wieder da ist, müssen Sie nicht warten.
delivery-retry = Jetzt versuchen
delivery-until = Wird bis { $date } versucht.
expires = Zu ändern bis { $date }
expired = War zu ändern bis { $date }
wrong-passkey = Dieser Passkey ist hier nicht bekannt, oder diese Seite stand zu lange offen. Versuchen Sie es noch einmal.
strength-weak = Leicht zu erraten.
strength-fair = Nicht schwer zu erraten. Länger ist besser.
strength-good = Schwer zu erraten.
strength-strong = Sehr schwer zu erraten.
passwords-sought = Eine Anwendung suchen
passwords-not-found = Keines Ihrer Passwörter heißt so.
cap = höchstens { $bytes } Bytes: so viele Buchstaben, weniger, wenn Umlaute darunter sind
deliveries-more = Die ältesten { $count } werden gezeigt.
second-about = Noch ein Schritt: Zeigen Sie, dass Sie es sind.
change-wanted = Ihr Passwort ist zu ändern, bevor es weitergeht: Es ist abgelaufen, oder ein Administrator verlangt es.
questions = Sicherheitsfragen
questions-about =
    { $count ->
        [one] Beantworten Sie eine, und Sie können zeigen, dass Sie es sind, wo ein Passwort allein nicht reicht. Ein zweiter Faktor ist besser.
        *[other] Beantworten Sie { $count } davon, und Sie können zeigen, dass Sie es sind, wo ein Passwort allein nicht reicht. Ein zweiter Faktor ist besser.
    }
questions-answered = Sie haben sie am { $date } beantwortet. Sie werden gefragt, wo ein Passwort allein nicht reicht, und bevor hier etwas geändert wird.
questions-not-asked = Sie haben sie beantwortet. Solange Sie einen zweiten Faktor haben, werden sie nicht gefragt.
questions-answer = Sicherheitsfragen beantworten
questions-answer-about = Niemand liest hier Ihre Antworten, auch Ihre Administratoren nicht. Wählen Sie, was andere nicht wissen und nicht nachschlagen können.
questions-anew = Andere Fragen beantworten
questions-asked = Beantworten Sie die Fragen, die Sie gewählt haben. Auf Groß- und Kleinschreibung kommt es nicht an.
question = Frage { $number }
answer = Antwort { $number }
answers-about = Je 3 bis 64 Zeichen, und jede eine andere. Eine Antwort muss nicht stimmen, solange Sie sie behalten.
answers-keep = Antworten speichern
answers-remove = Antworten entfernen
answers-questions = Die Antworten wurden nicht gespeichert. Wählen Sie jedes Mal eine andere Frage.
answers-length = Die Antworten wurden nicht gespeichert. Jede hat 3 bis 64 Zeichen.
answers-alike = Die Antworten wurden nicht gespeichert: Zwei davon sind gleich.
answers-known = Die Antworten wurden nicht gespeichert: Eine steht in ihrer Frage oder ist Ihr Name.
wrong-answers = Nicht alle Antworten sind richtig. Warten Sie nach mehreren falschen Versuchen eine Weile.
needs-second-factor-or-answers = Dieses Passwort ändert nur, wer mehr zeigt als ein Passwort. Richten Sie einen zweiten Faktor ein, oder beantworten Sie die Sicherheitsfragen; es dauert eine Minute.
help-answers = Sicherheitsfragen sind beantwortet.
worn = Das Passwort wurde nicht geändert: Mit diesem haben Sie sich angemeldet. Wählen Sie ein anderes.
questions-not-enough = Sie haben welche beantwortet, aber inzwischen werden { $count } verlangt. Beantworten Sie andere.
