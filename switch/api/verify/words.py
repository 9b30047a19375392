"""What a code comes with, written and spoken, in the languages that there are."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """One language."""

    written: str
    approves: str
    warning: str
    spoken: str
    press: str


_BY_LANGUAGE = {
    "en": Words(
        "Your {name} verification code is: {code}.",
        " It approves {amount} to {payee}.",
        " Do not share it with anybody.",
        "Hello. Your {name} verification code is",
        "Hello. Press any key to hear your {name} verification code.",
    ),
    "de": Words(
        "Ihr Bestätigungscode für {name} ist: {code}.",
        " Er bestätigt {amount} an {payee}.",
        " Geben Sie ihn niemandem weiter.",
        "Guten Tag. Ihr Bestätigungscode für {name} ist",
        "Guten Tag. Drücken Sie eine Taste, um Ihren Bestätigungscode für {name} zu hören.",
    ),
    "es": Words(
        "Tu código de verificación de {name} es: {code}.",
        " Aprueba {amount} a {payee}.",
        " No lo compartas con nadie.",
        "Hola. Tu código de verificación de {name} es",
        "Hola. Pulsa una tecla para escuchar tu código de verificación de {name}.",
    ),
    "fr": Words(
        "Votre code de vérification {name} est : {code}.",
        " Il approuve {amount} à {payee}.",
        " Ne le communiquez à personne.",
        "Bonjour. Votre code de vérification {name} est",
        "Bonjour. Appuyez sur une touche pour entendre votre code de vérification {name}.",
    ),
    "it": Words(
        "Il tuo codice di verifica {name} è: {code}.",
        " Approva {amount} a {payee}.",
        " Non comunicarlo a nessuno.",
        "Salve. Il tuo codice di verifica {name} è",
        "Salve. Premi un tasto per ascoltare il tuo codice di verifica {name}.",
    ),
    "nl": Words(
        "Je verificatiecode voor {name} is: {code}.",
        " Hij bevestigt {amount} aan {payee}.",
        " Deel hem met niemand.",
        "Hallo. Je verificatiecode voor {name} is",
        "Hallo. Druk op een toets om je verificatiecode voor {name} te horen.",
    ),
    "pt": Words(
        "O seu código de verificação {name} é: {code}.",
        " Aprova {amount} a {payee}.",
        " Não o partilhe com ninguém.",
        "Olá. O seu código de verificação {name} é",
        "Olá. Prima uma tecla para ouvir o seu código de verificação {name}.",
    ),
}
DEFAULT = "en"


def language_of(locale: str) -> str:
    """The language of a locale such as pt-BR, as far as there are words in it."""
    language = locale.lower().partition("-")[0].partition("_")[0]
    return language if language in _BY_LANGUAGE else DEFAULT


def words_of(locale: str) -> Words:
    """The words of a locale."""
    return _BY_LANGUAGE[language_of(locale)]
