"""What is put right and what is left alone: real words that no list of English has, and usual slips."""

from __future__ import annotations

import pytest

from imagemarket.search.query.spelling import Speller, english_words
from imagemarket.search.query.words import folded

_REAL = (  # noqa: SIM905 - shorter
    "juneteenth kwanzaa hanukkah diwali holi eid ramadan songkran oktoberfest nowruz vesak purim obon tanabata "
    "galungan reykjavik kyiv yerevan tbilisi antigua ljubljana marrakesh zanzibar oaxaca sintra bruges hallstatt "
    "cappadocia petra santorini uluru chiang aoife siobhan niamh priya arjun aaliyah mateo xiomara ingrid sven "
    "hiroshi yuki fatima kwame chidi saoirse anouk zofia ikea lego nespresso tesla vespa uber airbnb instagram "
    "tiktok spotify nikon leica gopro xiaomi huawei toyota ferrari ramen kimchi pho sushi bibimbap shakshuka "
    "falafel hummus baklava jollof injera ceviche empanada arepa pierogi borscht khachapuri tiramisu gelato boba "
    "matcha mochi tteokbokki poutine gyoza tagine halva churros biryani samosa naan dosa laksa selfie emoji "
    "vlogger drone bitcoin cryptocurrency metaverse influencer chatbot podcast hashtag glamping kupala matariki "
    "losar pongal onam bastille mooncake hogmanay festa carnaval lohri ugadi keflavik bergen gdansk krakow porto "
    "valletta hvar kotor yogyakarta ubud jaipur udaipur varanasi fes chefchaouen cusco medellin tulum banff "
    "whistler liam noah zara imani kofi amara leilani keanu bjorn freya adidas gucci prada netflix youtube "
    "playstation nintendo samsung huawei lamborghini gnocchi risotto prosciutto bruschetta focaccia tzatziki "
    "souvlaki paella gazpacho sriracha tempeh tofu edamame bulgogi banh"
).split()
"""Feasts, places, given names, brands, dishes, and what is new."""

_FOREIGN = (  # noqa: SIM905 - shorter
    "maison homme femme ville plage campagne neige fleur arbre montagne enfant voiture route jardin cuisine chien "
    "chat oiseau cheval soleil lune mer rivière fleuve pont rue église château marché pain fromage vin viande poisson "
    "légumes pomme poire cerise orange citron fraise école livre bureau travail argent santé médecin famille mère "
    "père frère soeur amour mariage fête anniversaire noël pâques printemps été automne hiver matin soir nuit jour "
    "rouge bleu vert jaune noir blanc gris rose beau grand petit vieux jeune heureux haus mann frau stadt strand "
    "schule sonne schnee blume baum berg kind auto strasse garten küche hund katze vogel pferd mond meer fluss brücke "
    "kirche schloss markt brot käse wein fleisch fisch gemüse apfel birne kirsche zitrone erdbeere buch büro arbeit "
    "geld gesundheit arzt familie mutter vater bruder schwester liebe hochzeit feier geburtstag weihnachten ostern "
    "frühling sommer herbst winter morgen abend nacht tag rot blau grün gelb schwarz weiss grau schön gross klein alt "
    "jung glücklich wald wiese himmel wolke regen wasser casa hombre mujer ciudad playa campo nieve flor árbol "
    "montaña niño coche carro calle jardín cocina perro gato pájaro caballo sol luna mar río puente iglesia castillo "
    "mercado pan queso vino carne pescado verduras manzana pera cereza limón fresa escuela libro oficina trabajo "
    "dinero salud médico familia madre padre hermano hermana amor boda fiesta cumpleaños navidad primavera verano "
    "otoño invierno mañana tarde noche día rojo azul verde amarillo negro blanco hermoso grande pequeño viejo joven "
    "feliz bosque cielo nube lluvia agua uomo donna città spiaggia campagna neve fiore albero montagna bambino "
    "macchina strada giardino cucina cane gatto uccello cavallo sole mare fiume ponte chiesa castello mercato pane "
    "formaggio pesce verdure mela ciliegia limone fragola scuola ufficio lavoro soldi salute medico famiglia fratello "
    "sorella amore matrimonio festa compleanno natale estate autunno inverno mattina sera notte giorno rosso azzurro "
    "giallo nero bianco grigio bello piccolo vecchio giovane felice bosco nuvola pioggia acqua homem mulher cidade "
    "praia árvore montanha criança rua jardim cozinha cachorro pássaro cavalo lua rio igreja castelo pão queijo vinho "
    "peixe legumes maçã cereja limão morango escola livro escritório trabalho dinheiro saúde família mãe pai irmão "
    "irmã casamento aniversário natal verão outono manhã noite dia vermelho amarelo preto branco cinza bonito pequeno "
    "velho jovem floresta céu nuvem chuva água huis man vrouw stad platteland sneeuw bloem boom straat tuin keuken "
    "hond kat paard zon maan zee rivier brug kerk kasteel brood kaas wijn vlees vis groente appel peer kers citroen "
    "aardbei school boek kantoor werk gezondheid dokter moeder vader broer zus liefde bruiloft feest verjaardag "
    "kerstmis pasen lente zomer herfst ochtend avond dag rood blauw groen geel zwart wit grijs mooi groot oud jong "
    "gelukkig bos wolk water hemel"
).split()
"""What people photograph, in French, German, Spanish, Italian, Portuguese and Dutch."""

_SLIPS = (  # noqa: SIM905 - shorter
    "forrest:forest moutain:mountain bussiness:business accomodation:accommodation restaraunt:restaurant "
    "beatiful:beautiful buisness:business freind:friend recieve:receive seperate:separate calender:calendar "
    "cemetary:cemetery definately:definitely enviroment:environment goverment:government libary:library "
    "neccessary:necessary occassion:occasion vaccum:vacuum wierd:weird tommorow:tomorrow tounge:tongue "
    "sucess:success suprise:surprise rythm:rhythm religous:religious publically:publicly posession:possession "
    "persistant:persistent parliment:parliament noticable:noticeable millenium:millennium liason:liaison "
    "knowlege:knowledge jewelery:jewelry independant:independent immediatly:immediately harrass:harass "
    "happend:happened guage:gauge garantee:guarantee foriegn:foreign flourescent:fluorescent familar:familiar "
    "existance:existence embarass:embarrass dissapear:disappear concious:conscious collegue:colleague "
    "catagory:category carribean:caribbean bizzare:bizarre begining:beginning basicly:basically "
    "arguement:argument apparant:apparent aquire:acquire agressive:aggressive acheive:achieve absense:absence "
    "accross:across adress:address sunsett:sunset flowr:flower buterfly:butterfly elefant:elephant girafe:giraffe "
    "croissent:croissant chocolat:chocolate brocoli:broccoli potatos:potatoes tomatos:tomatoes bananna:banana "
    "avacado:avocado vegtable:vegetable kichen:kitchen bycicle:bicycle motorcyle:motorcycle airplaine:airplane "
    "skyscaper:skyscraper landscpae:landscape portait:portrait buildng:building bridgde:bridge "
    "watterfall:waterfall desrt:desert winterr:winter autum:autumn chrismas:christmas halloewen:halloween "
    "weding:wedding familly:family childern:children womenn:women computr:computer keybord:keyboard "
    "telefone:telephone doctr:doctor hosptial:hospital docter:doctor techonology:technology abscence:absence "
    "accoustic:acoustic acquaintence:acquaintance anniversery:anniversary archietcture:architecture "
    "balony:balcony brige:bridge cappucino:cappuccino camra:camera cathedrel:cathedral childhod:childhood "
    "colorfull:colorful concret:concrete dinasour:dinosaur dolfin:dolphin easterr:easter exersise:exercise "
    "firworks:fireworks fotograph:photograph gardne:garden garbige:garbage grafiti:graffiti gymnasim:gymnasium "
    "handshak:handshake helicoptor:helicopter highwy:highway hospitle:hospital isalnd:island jungel:jungle "
    "lanscape:landscape libray:library lighthuose:lighthouse managment:management mashroom:mushroom "
    "medecine:medicine meetng:meeting musicain:musician ocaen:ocean offce:office orcherd:orchard "
    "panaroma:panorama peple:people pinapple:pineapple pumkin:pumpkin raspbery:raspberry rainbw:rainbow "
    "resturant:restaurant sandwhich:sandwich scenary:scenery sheperd:shepherd skateborad:skateboard "
    "snowfal:snowfall strawbery:strawberry sunflowr:sunflower swiming:swimming teenagr:teenager templ:temple "
    "theif:thief tornadoe:tornado tradional:traditional tropicl:tropical umbrela:umbrella vacashun:vacation "
    "vilage:village volcanoe:volcano volunter:volunteer wildlif:wildlife yatch:yacht"
).split()
"""As typed, and what was meant."""

_AS_WELL = {
    "potatos": "potato",
    "tomatos": "tomato",
    "jewelery": "jewellery",
    "happend": "happen",
    "colorfull": "colourful",
    "tornadoe": "tornadoes",
    "volcanoe": "volcanoes",
}
"""Another number or spelling of what was meant finds the same pictures."""


@pytest.fixture(scope="module")
def speller() -> Speller:
    return Speller({})


def test_real_words_are_left_alone(speller: Speller) -> None:
    corrected = [word for word in _REAL if speller.correct(word) is not None]
    assert len(corrected) <= 0.03 * len(_REAL), corrected


def test_common_words_of_other_languages_are_left_alone(speller: Speller) -> None:
    for words in (_FOREIGN, [folded(word) for word in _FOREIGN]):
        corrected = [word for word in words if speller.correct(word) is not None]
        assert len(corrected) <= 0.01 * len(words), corrected


@pytest.mark.parametrize(
    ("typed", "meant"), [("busines", "business"), ("succes", "success"), ("fitnes", "fitness"), ("glas", "glass")]
)
def test_a_last_s_may_be_missing_where_pictures_have_the_word(typed: str, meant: str) -> None:
    assert Speller({meant: 3}).correct(typed) == meant
    assert Speller({"dog": 3}).correct("dogs") is Speller({"dogs": 3}).correct("dog") is None


def test_usual_slips_are_put_right(speller: Speller) -> None:
    slips = [each.split(":") for each in _SLIPS]
    missed = [typed for typed, meant in slips if speller.correct(typed) not in {meant, _AS_WELL.get(typed, meant)}]
    slipped = [typed for typed, _ in slips if typed not in english_words()]
    assert len(set(missed) & set(slipped)) <= 0.15 * len(slipped), missed


@pytest.mark.parametrize("word", ["forrest", "calender", "juneteenth", "kwanzaa", "holi", "uber", "matcha"])
def test_what_is_english_or_may_be_a_name_stays(speller: Speller, word: str) -> None:
    assert speller.correct(word) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *(("moutain", "mountain"), ("bussiness", "business"), ("wierd", "weird"), ("flowr", "flower")),
        *(("bycicle", "bicycle"), ("dinasour", "dinosaur"), ("tounge", "tongue")),
        *(("tommorow", "tomorrow"), ("cinammon", "cinnamon"), ("squirell", "squirrel")),
    ],
)
def test_the_likelier_slip_is_taken(speller: Speller, typed: str, meant: str) -> None:
    assert speller.correct(typed) == meant


@pytest.mark.parametrize("word", ["neighbor", "neighbors", "archeology", "aluminum", "mustache", "theater"])
def test_no_spelling_of_a_word_is_a_slip(speller: Speller, word: str) -> None:
    assert speller.correct(word) is None


def test_of_equally_near_words_the_catalogues_is_meant() -> None:
    assert Speller({}).correct("elekant") == "elegant"
    assert Speller({"elevant": 1}).correct("elekant") == "elevant"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *(("muenchen", "m\u00fcnchen"), ("Koeln", "k\u00f6ln"), ("duesseldorf", "d\u00fcsseldorf")),
        *(("zuerich", "zurich"), ("fuehrungskraefte", "f\u00fchrungskr\u00e4fte"), ("aepfel", "\u00e4pfel")),
        *(("fuessen", None), ("blue", None), ("poem", None), ("shoes", None), ("joel", None), ("queue", None)),
    ],
)
def test_umlauts_may_be_typed_in_two_letters_where_only_so_no_picture_has_the_word(
    typed: str, meant: str | None
) -> None:
    words = "m\u00fcnchen k\u00f6ln d\u00fcsseldorf zurich f\u00fchrungskr\u00e4fte \u00e4pfel f\u00fcssen fuessen"
    assert Speller(dict.fromkeys(f"{words} blu pom shos jol".split(), 1)).correct(typed) == meant
