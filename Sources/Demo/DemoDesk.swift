import Model

/// Who works at the demonstration's desk, and where its contacts come from.
enum DemoDesk {
    struct Worker {
        let name: String
        let maxLoad: Int32
    }

    struct Entrance {
        let name: String
        let description: String
        let channel: Channel
        /// Its part of the traffic.
        let share: Int
        /// Weights by the workers' ids, which count from 1.
        let weights: KeyValuePairs<Int, Int32>
        /// The weights' own `max_load`, by the workers' ids.
        var limits: [Int: Int32] = [:]
        var strategy = Strategy.weightedRandom
        var isSticky = false
    }

    /// What a source learns of a lead.
    enum Channel {
        case bot, form, ads, mail
    }

    static let workers = [
        Worker(name: "Анна Соколова", maxLoad: 12), Worker(name: "Иван Петров", maxLoad: 10),
        Worker(name: "Мария Кузнецова", maxLoad: 15), Worker(name: "Дмитрий Волков", maxLoad: 8),
        Worker(name: "Ольга Смирнова", maxLoad: 4), Worker(name: "Emily Carter", maxLoad: 10),
        Worker(name: "James O'Neill", maxLoad: 12), Worker(name: "Сергей Морозов", maxLoad: 10),
    ]
    /// Who leaves in the last third of the time: their contacts are released.
    static let leaver = OperatorID(8)
    /// An operator and a source that were created by mistake, and deleted before a contact came.
    static let mistakenWorker = Worker(name: "Оператор", maxLoad: 10)
    static let mistakenEntrance = Entrance(
        name: "Источник", description: "", channel: .bot, share: 0, weights: [:])

    /// Where many contacts come at once, in a batch.
    static let batchEntrance = 4

    /// The last one runs a campaign whose only free operator is soon full: contacts wait there.
    static let entrances = [
        Entrance(
            name: "Telegram-бот «Поддержка»", description: "Основной бот", channel: .bot, share: 34,
            weights: [1: 30, 2: 20, 3: 40, 4: 10]),
        Entrance(
            name: "Telegram bot (English)", description: "Support in English", channel: .bot, share: 14,
            weights: [6: 50, 7: 50], isSticky: true),
        Entrance(
            name: "Форма на сайте", description: "Заявки с лендинга", channel: .form, share: 22,
            weights: [1: 25, 2: 25, 3: 25, 8: 25], strategy: .smoothWeighted),
        Entrance(
            name: "Google Ads", description: "Callbacks from search ads", channel: .ads, share: 12,
            weights: [4: 20, 6: 40, 7: 40], limits: [4: 3], strategy: .leastLoaded),
        Entrance(
            name: "sales@example.com", description: "Общий почтовый ящик отдела продаж", channel: .mail, share: 10,
            weights: [2: 50, 3: 30, 7: 20]),
        Entrance(
            name: "Яндекс Директ: распродажа", description: "Осенняя кампания", channel: .ads, share: 8,
            weights: [5: 70, 8: 30]),
    ]

    static let russianNames = (
        first: ["Алексей", "Пётр", "Никита", "Егор", "Тимур", "Артём", "Глеб", "Илья", "Роман", "Фёдор"],
        last: [
            "Иванченко", "Шевчук", "Черных", "Ткаченко", "Долгих", "Бондаренко", "Седых", "Коваленко", "Белых", "Гринь",
        ]
    )
    static let englishNames = (
        first: ["Alice", "Ben", "Chloe", "Daniel", "Ella", "Frank", "Grace", "Henry", "Isla", "Jack"],
        last: [
            "Abbott", "Baker", "Clarke", "Dawson", "Evans", "Foster", "Graham", "Hughes", "Irving", "Jennings",
        ]
    )
    static let russianMessages = [
        "Хочу узнать о продукте", "Сколько стоит подписка на год?", "Не приходит код подтверждения",
        "Можно ли вернуть товар?", "Когда доставка в Казань?", "Перезвоните, пожалуйста, после обеда",
        "Есть ли скидка для постоянных клиентов?", "Не получается оплатить картой",
    ]
    static let englishMessages = [
        "I'd like to know more about the product", "How much is the yearly plan?", "My confirmation code never arrived",
        "Can I return an item?", "When do you deliver to Leeds?", "Please call me back after lunch",
        "Is there a discount for returning customers?", "My card is declined",
    ]
}
